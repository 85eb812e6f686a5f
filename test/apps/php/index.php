<?php
// An old-style page: no framework, no library, no session_start().
$session = json_decode($_SERVER['HTTP_X_SESSION_DATA'], true);
$messages = json_decode($_SERVER['HTTP_X_SESSION_FLASH'] ?? '[]');

function answer($header, $value)
{
    // json_encode escapes line ends and everything that is not ASCII.
    header("X-Session-$header: " . json_encode($value, JSON_INVALID_UTF8_SUBSTITUTE | JSON_THROW_ON_ERROR));
}

if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    if (isset($_POST['name'])) {
        answer('Update', ['user' => $_POST['name']]);
        answer('Flash', ['success', "PHP welcomes $_POST[name]."]);
        header('X-Session-Control: regenerate');
    } elseif (isset($_POST['logout'])) {
        answer('Flash', ['info', 'PHP says goodbye.']);
        header('X-Session-Control: destroy');
    } elseif (isset($_POST['message'])) {
        answer('Flash', ['info', $_POST['message']]);
    }
    header('Location: .', true, 303);
    exit;
}

answer('Update', [['op' => 'increment', 'path' => '/visits', 'value' => 1]]);
header('X-Session-Control: flash-seen');
?>
<!DOCTYPE html>
<title>PHP</title>
<?php foreach ($messages as [$category, $text]): ?>
<p class="<?= htmlspecialchars($category) ?>"><?= htmlspecialchars($text) ?></p>
<?php endforeach ?>
<h1>Hello, <?= htmlspecialchars($session['user'] ?? 'stranger') ?>.</h1>
<div><?= ($session['visits'] ?? 0) + 1 ?> visits</div>
<form method="post"><input name="name"><button>Log in</button></form>
<form method="post"><input name="message"><button>Leave a message</button></form>
<form method="post"><button name="logout">Log out</button></form>
