<?php
// The cookies of WordPress: those that wp-login.php and wp_set_auth_cookie() set and wp_clear_auth_cookie() deletes.
const KEY = 'a key for tests', HASH = '5f4dcc3b5aa765d61d8327deb882cf99', DAY = 24 * 3600;

function auth(string $scheme, string $user, int $end): string {
    return "$user|$end|" . hash_hmac('sha256', "$user|$end|$scheme", KEY);
}

function user(): string {
    $value = $_COOKIE['wordpress_logged_in_' . HASH] ?? '';
    [$user, $end] = explode('|', $value . '|');
    return $value !== '' && hash_equals(auth('logged_in', $user, (int) $end), $value) && (int) $end > time() ? $user : 'nobody';
}

function cookies(string $user, int $end, int $expire): void {
    foreach (['/wp-content/plugins', '/wp-admin'] as $path) {
        setcookie('wordpress_' . HASH, $user === '' ? ' ' : auth('auth', $user, $end), $expire, $path, '', false, true);
    }
    setcookie('wordpress_logged_in_' . HASH, $user === '' ? ' ' : auth('logged_in', $user, $end), $expire, '/', '', false, true);
}

function form(): void {
    setcookie('wordpress_test_cookie', 'WP Cookie check', 0, '/');
    echo '<form method="post" action="/wp-login.php"><input name="log"><label><input type="checkbox" name="rememberme" value="forever">Remember Me</label>',
        '<button id="wp-submit">Log In</button></form>';
}

switch (strtok($_SERVER['REQUEST_URI'], '?')) {
    case '/wp-login.php':
        if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
            form();
            break;
        }
        // "Remember Me" keeps the login for 14 days and the cookie for 12 hours longer.
        $remember = isset($_POST['rememberme']);
        $end = time() + ($remember ? 14 * DAY : 2 * DAY);
        cookies($_POST['log'], $end, $remember ? $end + DAY / 2 : 0);
        header('Location: /wp-admin/', true, 302);
        break;
    case '/logout':
        cookies('', 0, time() - 365 * DAY);
        header('Location: /', true, 302);
        break;
    default:
        echo '<p id="user">', htmlspecialchars(user()), '</p>';
}
