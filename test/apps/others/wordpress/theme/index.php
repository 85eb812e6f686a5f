<p id="user"><?= is_user_logged_in() ? esc_html(wp_get_current_user()->user_login) : 'nobody' ?></p>
<a id="logout" href="<?= wp_logout_url('/') ?>">Log out</a>
