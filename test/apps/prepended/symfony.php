<?php
// A small app of Symfony's framework and security bundles: a login, and a note in its session.
namespace Example;

require '/usr/share/php/Symfony/Bundle/FrameworkBundle/autoload.php';
require '/usr/share/php/Symfony/Bundle/SecurityBundle/autoload.php';

use Symfony\Bundle\FrameworkBundle\FrameworkBundle;
use Symfony\Bundle\FrameworkBundle\Kernel\MicroKernelTrait;
use Symfony\Bundle\SecurityBundle\SecurityBundle;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;
use Symfony\Component\HttpFoundation\{RedirectResponse, Request, Response};
use Symfony\Component\HttpKernel\Kernel;
use Symfony\Component\Routing\Loader\Configurator\RoutingConfigurator;
use Symfony\Component\Security\Core\Security;
use Symfony\Component\Security\Core\User\InMemoryUser;
use Symfony\Component\Security\Csrf\CsrfTokenManagerInterface;

final class Pages
{
    private $security, $tokens;

    public function __construct(Security $security, CsrfTokenManagerInterface $tokens)
    {
        $this->security = $security;
        $this->tokens = $tokens;
    }

    public function home(Request $request): Response
    {
        $user = $this->security->getUser();
        $session = $request->getSession();
        $flashes = $session->getFlashBag()->get('notice');
        return $this->page('<p id="user">' . ($user ? $user->getUserIdentifier() : 'nobody') . '</p>'
            . '<p id="note">' . htmlspecialchars($session->get('note', '')) . '</p><p id="flash">' . implode($flashes) . '</p>'
            . '<form method="post" action="/note"><input name="note">' . $this->token('note') . '<button id="keep">Keep</button></form>'
            . '<a id="logout" href="/logout?_csrf_token=' . $this->tokens->getToken('logout') . '">Log out</a>');
    }

    public function login(): Response
    {
        return $this->page('<form method="post"><input name="_username"><input name="_password">' . $this->token('authenticate') . '<button>Log in</button></form>');
    }

    public function note(Request $request): Response
    {
        $request->getSession()->set('note', $request->request->get('note'));
        $request->getSession()->getFlashBag()->add('notice', 'Kept.');
        return new RedirectResponse('/', 303);
    }

    private function token(string $of): string
    {
        return '<input type="hidden" name="_csrf_token" value="' . $this->tokens->getToken($of) . '">';
    }

    private function page(string $body): Response
    {
        return new Response("<!DOCTYPE html><title>Symfony</title>$body");
    }
}

final class App extends Kernel
{
    use MicroKernelTrait;

    public function registerBundles(): iterable
    {
        return [new FrameworkBundle, new SecurityBundle];
    }

    public function getProjectDir(): string
    {
        return (string) getenv('APP_DIR');
    }

    protected function configureContainer(ContainerConfigurator $container): void
    {
        $container->extension('framework', [
            'secret' => 'a secret of this app', 'http_method_override' => false, 'csrf_protection' => true,
            'session' => ['handler_id' => null, 'storage_factory_id' => 'session.storage.factory.native'],
        ]);
        $container->extension('security', [
            'enable_authenticator_manager' => true,
            'password_hashers' => [InMemoryUser::class => 'plaintext'],
            'providers' => ['users' => ['memory' => ['users' => ['victim' => ['password' => 'password', 'roles' => ['ROLE_USER']]]]]],
            'firewalls' => ['main' => [
                'form_login' => ['login_path' => '/login', 'check_path' => '/login', 'enable_csrf' => true],
                'logout' => ['path' => '/logout', 'csrf_token_generator' => CsrfTokenManagerInterface::class],
            ]],
            'access_control' => [['path' => '^/note', 'roles' => 'ROLE_USER']],
        ]);
        $container->services()->set(Pages::class)->public()->autowire();
    }

    protected function configureRoutes(RoutingConfigurator $routes): void
    {
        foreach (['home' => '/', 'login' => '/login', 'note' => '/note', 'logout' => '/logout'] as $name => $path) {
            $routes->add($name, $path)->controller([Pages::class, $name]);
        }
    }
}

$app = new App('prod', false);
$request = Request::createFromGlobals();
$response = $app->handle($request);
$response->send();
$app->terminate($request, $response);
