// Run the suite of the npm package http-cache-tests against a base URL and print its results as JSON: all at once, since
// most of its time is spent waiting for something to become stale.
//
//     node cache-tests.mjs PACKAGE-FOLDER BASE-URL

import path from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder, base] = process.argv.slice(2)
const load = (file) => import(pathToFileURL(path.join(folder, file)))
const { runTests, getResults } = await load('client/runner.mjs')
const { default: fetch } = await load('../node_modules/node-fetch/lib/index.mjs')
const { default: tests } = await load('tests/index.mjs')

await runTests(tests, fetch, false, base, 1000)
console.log(JSON.stringify(getResults()))
