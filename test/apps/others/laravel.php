<?php
// An app of Laravel's components. Its session is in its own encrypted cookie, which it writes anew
// in each answer, together with the cookie XSRF-TOKEN.
require '/usr/share/php/Illuminate/autoload.php';

use Illuminate\Cookie\Middleware\{AddQueuedCookiesToResponse, EncryptCookies};
use Illuminate\Encryption\Encrypter;
use Illuminate\Http\{Request, Response, RedirectResponse};
use Illuminate\Pipeline\Pipeline;
use Illuminate\Session\{Middleware\StartSession, SessionManager};

$app = new Illuminate\Container\Container;
$app->instance('config', new Illuminate\Config\Repository(['session' => [
    'driver' => 'cookie', 'lifetime' => 120, 'expire_on_close' => false, 'encrypt' => false, 'lottery' => [0, 100],
    'cookie' => 'laravel_session', 'path' => '/', 'domain' => null, 'secure' => null, 'http_only' => true, 'same_site' => 'lax',
]]));
$jar = new Illuminate\Cookie\CookieJar;
$app->instance('cookie', $jar);
$request = Request::capture();
$app->instance('request', $request);
$sessions = new SessionManager($app);

function show(Request $request): Response|RedirectResponse
{
    $session = $request->session();
    switch ($request->path()) {
        case 'login':
            $session->regenerate(true);
            $session->put('user', $request->input('user'));
            return new RedirectResponse('/');
        case 'logout':
            $session->invalidate();
            return new RedirectResponse('/');
        default:
            return new Response($session->get('user', 'nobody'), 200, ['Content-Type' => 'text/plain']);
    }
}

(new Pipeline($app))->send($request)->through([
    new EncryptCookies(new Encrypter(str_repeat('k', 32), 'AES-256-CBC')),
    new AddQueuedCookiesToResponse($jar),
    new StartSession($sessions),
])->then(Closure::fromCallable('show'))->send();
