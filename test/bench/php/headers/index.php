<?php
// The page of ../index.php, changed to use the session that the proxy has.
$what = key($_GET);
if ($what === 'create') {
    header('X-Session-Update: {"user":{"id":4711,"name":"Zo\u00eb Example","roles":["editor","admin"]},"cart":[{"sku":"A-100","n":2},{"sku":"B-7","n":1}],'
        . '"csrf":"' . str_repeat('0123456789abcdef', 4) . '","visits":1,"notes":"' . str_repeat('lorem ipsum ', 22) . '"}');
} else {
    $session = json_decode($_SERVER['HTTP_X_SESSION_DATA'], true);
    if (!isset($session['user'])) {
        http_response_code(500);
        exit;
    }
    if ($what === 'change') {
        header('X-Session-Update: [{"op":"increment","path":"/visits","value":1}]');
    }
}
$page = '<!doctype html><title>bench</title><p>' . htmlspecialchars($session['user']['name'] ?? '');
header('Content-Length: ' . strlen($page));
echo $page;
