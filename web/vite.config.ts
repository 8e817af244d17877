import { defineConfig } from 'vite';

/*
 * The page goes to api/web/graphiql.html and everything that it loads to api/web/graphiql/, which the service
 * hands out under /assets/graphiql/. Every file there bears a hash in its name, so it may be cached for ever.
 */
export default defineConfig({
  base: '/assets/',
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    outDir: '../api/web',
    emptyOutDir: true,
    assetsDir: 'graphiql',
    // The editor alone is larger than Vite's default of 500 kB; it is loaded once and then comes from the cache.
    chunkSizeWarningLimit: 8000,
    // Preloading by script is of no use to a page with one entry, and would be an inline script in some browsers.
    modulePreload: { polyfill: false },
    rollupOptions: { input: 'graphiql.html' },
  },
});
