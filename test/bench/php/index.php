<?php
// A page with a session of some 500 bytes, for each kind of request that bench measures.
session_start();
$what = key($_GET);
if ($what === 'create') {
    $_SESSION = json_decode('{"user":{"id":4711,"name":"Zo\u00eb Example","roles":["editor","admin"]},"cart":[{"sku":"A-100","n":2},{"sku":"B-7","n":1}]}', true)
        + ['csrf' => str_repeat('0123456789abcdef', 4), 'visits' => 1, 'notes' => str_repeat('lorem ipsum ', 22)];
} elseif (!isset($_SESSION['user'])) {
    http_response_code(500);
    exit;
} elseif ($what === 'change') {
    $_SESSION['visits']++;
} elseif ($what === 'slow') {
    usleep(100000);
}
$page = '<!doctype html><title>bench</title><p>' . htmlspecialchars($_SESSION['user']['name']);
header('Content-Length: ' . strlen($page));
echo $page;
