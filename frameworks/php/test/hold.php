<?php
// Pages that hold the lock of their session for a while.

session_start();
switch ($_GET['do']) {
	case 'hold':
		touch(getenv('DIR') . '/opened');
		for ($i = 0; $i < 6000 && !file_exists(getenv('DIR') . '/let'); $i++) {
			usleep(5000);
			clearstatcache();
		}
		$_SESSION['held'] = 1;
		break;
	case 'count':
		usleep(mt_rand(0, 3000));
		$_SESSION['count'] = ($_SESSION['count'] ?? 0) + 1;
		break;
}
