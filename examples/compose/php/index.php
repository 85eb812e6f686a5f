<?php
// Counts the visits of this app in the session, and shows those of all.
$session = json_decode($_SERVER['HTTP_X_SESSION_DATA'], true);
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    header('X-Session-Update: ' . json_encode(['user' => $_POST['name'] ?? '']));
    header('X-Session-Control: regenerate');
    header('Location: /php/', true, 303);
    exit;
}
header('X-Session-Update: [{"op":"increment","path":"/php","value":1}]');
?>
<!DOCTYPE html>
<title>PHP</title>
<h1>Hello, <?= htmlspecialchars($session['user'] ?? 'stranger') ?>. This is PHP.</h1>
<p>Before this visit: PHP <?= $session['php'] ?? 0 ?>, Node <?= $session['node'] ?? 0 ?>, Flask <?= $session['flask'] ?? 0 ?>.</p>
<form method="post" action="/php/"><input name="name" aria-label="Your name"> <button>That is me</button></form>
<p><a href="/php/">PHP</a> <a href="/node/">Node</a> <a href="/flask/">Flask</a></p>
