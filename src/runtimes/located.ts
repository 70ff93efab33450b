/** Where the package's files lie in a page whose development server has moved its scripts. */

/**
 * Vite 6 and 7 serve a dependency's scripts from node_modules/.vite/deps and leave the files beside them, which
 * `import.meta.url` then no longer leads to, in the dependency's own folder.
 *
 * @param url of a file in this package's dist/, as `import.meta.url` gives it
 */
export function located(url: URL): URL {
  return new URL(url.href.replace(/\/\.vite\/deps(_temp_\w+)?\//, "/siskin/dist/"));
}
