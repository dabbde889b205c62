/** What drizzle-kit writes beside the SQL of an object. */
declare module "*/migrations.js" {
  const bundle: {
    readonly journal: {
      readonly entries: readonly {
        readonly idx: number;
        readonly when: number;
        readonly tag: string;
        readonly breakpoints: boolean;
      }[];
    };
    readonly migrations: Readonly<Record<string, string>>;
  };
  export default bundle;
}
