<?php
// The pages of an old app: no framework, no library, no session_start().
$session = json_decode($_SERVER['HTTP_X_SESSION_DATA'], true);

if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    if (isset($_POST['name'])) {
        header('X-Session-Update: ' . json_encode(['user' => $_POST['name']], JSON_THROW_ON_ERROR));
        header('X-Session-Control: regenerate');
    } elseif (isset($_POST['others'])) {
        header('X-Session-Control: end-others');
    }
    header('Location: /', true, 303);
    exit;
}

header('X-Session-Update: [{"op":"increment","path":"/visits","value":1}]');
echo 'Hello, ', htmlspecialchars($session['user'] ?? 'stranger'), '. You were here ', $session['visits'] ?? 0, " times before.\n";
