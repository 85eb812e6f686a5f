// Serves the pages of this folder by a PHP that is compiled to WebAssembly.
// Usage: node wasm.mjs <package of this PHP> <address> <file to prepend> <log> [<setting>...]

import { appendFileSync, readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { PHP, loadPHPRuntime, setPhpIniEntries } from '@php-wasm/universal';

const [name, address, prepend, log, ...settings] = process.argv.slice(2);
const here = new URL('.', import.meta.url);
const { getPHPLoaderModule } = await import(name);
const php = new PHP(await loadPHPRuntime(await getPHPLoaderModule()));
await setPhpIniEntries(php, {
	auto_prepend_file: '/session.php',
	...Object.fromEntries(settings.map((setting) => setting.split('='))),
});
php.mkdir('/app');
php.mkdir('/sessions');
php.writeFile('/session.php', readFileSync(prepend));
for (const file of readdirSync(here)) {
	if (file.endsWith('.php')) {
		php.writeFile(`/app/${file}`, readFileSync(new URL(file, here)));
	}
}

async function run({ method, url, headers }) {
	const server = { CADDY_SESSION_KEY: process.env.CADDY_SESSION_KEY };
	for (const [name, value] of Object.entries(headers)) {
		server['HTTP_' + name.toUpperCase().replaceAll('-', '_')] = value;
	}
	try {
		return await php.run({ scriptPath: '/app/app.php', relativeUri: url, method, headers, $_SERVER: server });
	} catch (error) {
		if (!error.response) {
			throw error;
		}
		return error.response; // the script has failed
	}
}

// PHP does one request after the other.
let last = Promise.resolve();
const [, host, port] = address.match(/(.*):(\d+)/);
createServer((request, response) => {
	last = last.then(() => run(request)).then(({ httpStatusCode, headers, bytes, errors }) => {
		appendFileSync(log, errors);
		response.writeHead(httpStatusCode, headers).end(bytes);
	}).catch((error) => {
		appendFileSync(log, `wasm.mjs: ${error.stack}\n`);
		response.writeHead(500).end(String(error));
	});
}).listen(port, host);
