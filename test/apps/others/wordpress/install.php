<?php
// Makes the database of a new WordPress with the user "victim". The argument is its folder.
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = 'localhost';
require $argv[1] . '/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
function wp_new_blog_notification() {} // it would send mail
wp_install('A site', 'victim', 'victim@example.org', false, '', 'password');
switch_theme('theme');
