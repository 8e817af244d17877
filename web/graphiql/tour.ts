/*
 * The ready-made tabs, in order. Each is a .graphql file beside this one, with its variables and headers in JSON
 * files of the same name, so that they can be checked against the schema without a browser.
 */
const documents = import.meta.glob<string>('./tour/*.graphql', { query: '?raw', import: 'default', eager: true });
const values = import.meta.glob<string>('./tour/*.json', { query: '?raw', import: 'default', eager: true });

export const tour = Object.keys(documents)
  .sort()
  .map((path) => {
    const name = path.replace(/\.graphql$/, '');
    return {
      query: documents[path] ?? null,
      variables: values[`${name}.variables.json`] ?? null,
      headers: values[`${name}.headers.json`] ?? null,
    };
  });
