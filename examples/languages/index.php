<?php
// The example's page in PHP. It gets the same session as the other pages, and counts its own visits in it.
$session = json_decode($_SERVER['HTTP_X_SESSION_DATA'], true);
header('X-Session-Update: [{"op":"increment","path":"/php","value":1}]');
?>
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The same session in PHP</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/style.css">
<main class="columns">
<div>
<h1>Hello, <bdi><?= htmlspecialchars($session['user'] ?? 'stranger') ?></bdi>. This is PHP.</h1>
<p>This page was made by PHP <?= PHP_VERSION ?>, and you have been here <b id="here"><?= $session['php'] ?? 0 ?></b> times before.
	The first page counts <?= $session['visits'] ?? 0 ?> visits.</p>
<p><a href="/">Back to the first page</a></p>
</div>
</main>
