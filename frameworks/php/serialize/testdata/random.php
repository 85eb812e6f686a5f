<?php
// Prints random sessions, a line of JSON for each: encoded by PHP, a JSON Patch, and encoded by PHP
// after that change.

class Cart {
	public $items = [1, 'two'];
	protected $total = 1.5;
	private $owner = null;
	public $of;
}
class Late {
	private $data;
	public function __construct($data) { $this->data = $data; }
	public function __serialize(): array { return ['data' => $this->data, 7 => 'seven']; }
	public function __unserialize(array $data): void { $this->data = $data['data']; }
}
class Slim {
	public $kept = 'kept', $lost = 'lost', $of;
	public function __sleep() { return ['kept', 'of']; }
}
enum Suit: string { case Hearts = 'H'; case Spades = 'S'; }

function text(): string {
	return match (mt_rand(0, 8)) {
		0 => '',
		1 => "\xff\x00" . chr(mt_rand(128, 255)),
		2 => 'Zoë ☃ 𐍈',
		3 => 'a|b:1;"}{;s:3:"x";',
		4 => str_repeat('x', mt_rand(1, 200)),
		5 => "\n\t\\ \u{2028}</",
		6 => 'r:1;R:2;',
		default => 'word' . mt_rand(0, 99),
	};
}
function name(): string|int {
	return match (mt_rand(0, 9)) {
		0 => mt_rand(-5, 5),
		1 => "bin\xfe" . mt_rand(0, 9),
		2 => ' b',
		3 => ' o',
		4 => '0' . mt_rand(0, 9),
		5 => 'Ключ',
		default => 'key' . mt_rand(0, 9),
	};
}
function number() {
	$special = [0, -1, PHP_INT_MAX, PHP_INT_MIN, 9007199254740993, 0.1, -0.0, 1.0, 1e25, 1.5e-7, 1e16, 1e17, 123456789012345678.0, 0.0001, 0.00001, INF, -INF, NAN, PHP_FLOAT_EPSILON, PHP_FLOAT_MAX, PHP_FLOAT_MIN, 4.9e-324, 1 / 3];
	return mt_rand(0, 1) ? $special[array_rand($special)] : mt_rand() / (mt_rand() + 1) * 10 ** mt_rand(-20, 20);
}
function value(int $depth) {
	global $objects, $refs;
	switch (mt_rand(0, $depth > 0 ? 14 : 6)) {
		case 0: return null;
		case 1: return (bool) mt_rand(0, 1);
		case 2: case 3: return number();
		case 4: case 5: return text();
		case 6: return mt_rand(-1000, 1000);
		case 7: case 8:
			$list = [];
			for ($n = mt_rand(0, 4); $n > 0; $n--) $list[] = value($depth - 1);
			return $list;
		case 9: case 10:
			$map = [];
			for ($n = mt_rand(0, 4); $n > 0; $n--) $map[name()] = value($depth - 1);
			return $map;
		case 11:
			return Suit::cases()[mt_rand(0, 1)];
		case 12:
			if ($objects && mt_rand(0, 1)) return $objects[array_rand($objects)];
			$o = match (mt_rand(0, 5)) {
				0 => new Cart, 1 => new stdClass, 2 => new ArrayObject([1, value($depth - 1)]),
				3 => new DateTimeImmutable('@' . mt_rand(0, 2000000000)), 4 => new Late(value($depth - 1)), 5 => new Slim,
			};
			$objects[] = $o;
			if ($o instanceof Cart || $o instanceof stdClass || $o instanceof Slim) $o->of = value($depth - 1);
			return $o;
		case 13:
			$a = ['before' => value($depth - 1)];
			$a['ref'] = &$refs[mt_rand(0, 3)];
			return $a;
		default:
			$a = [1];
			if (mt_rand(0, 4) == 0) $a['self'] = &$a;
			return $a;
	}
}
// json is a value that JSON can hold.
function json(int $depth) {
	switch (mt_rand(0, $depth > 0 ? 8 : 5)) {
		case 0: return null;
		case 1: return mt_rand(0, 1) == 1;
		case 2: do $n = number(); while (is_float($n) && !is_finite($n)); return $n;
		case 3: return mb_scrub(text());
		case 4: return mt_rand();
		case 5: return [];
		case 6: case 7:
			$list = [];
			for ($n = mt_rand(0, 3); $n > 0; $n--) $list[] = json($depth - 1);
			return $list;
		default:
			$map = [];
			for ($n = mt_rand(1, 3); $n > 0; $n--) $map[mt_rand(0, 1) ? 'k' . mt_rand(0, 9) : (string) mt_rand(-9, 9)] = json($depth - 1);
			return $map;
	}
}

ob_start();
ini_set('session.use_cookies', 0);
ini_set('session.cache_limiter', '');
ini_set('session.save_path', sys_get_temp_dir());
ini_set('serialize_precision', -1);
[, $first, $count] = $argv;
for ($seed = (int) $first; $seed < $first + $count; $seed++) {
	$form = ['php', 'php_binary', 'php_serialize'][$seed % 3];
	ini_set('session.serialize_handler', $form);
	session_id('caddytest' . getmypid());
	session_start();
	mt_srand($seed);
	$objects = [];
	unset($refs);
	$refs = [1, 'text', [1, 2], new Cart];
	$_SESSION = ['map' => ['a' => 1, 'b' => value(2)]];
	for ($n = mt_rand(0, 8); $n > 0; $n--) {
		$key = 'top' . mt_rand(0, 9);
		if (mt_rand(0, 4) == 0) {
			$_SESSION[$key] = &$refs[mt_rand(0, 3)];
			continue;
		}
		unset($_SESSION[$key]);
		$_SESSION[$key] = value(4);
	}
	if ($form == 'php_serialize') $_SESSION[mt_rand(0, 99)] = 'number';
	$before = session_encode();
	$patch = [];
	// The order of a change: what is removed, what is changed, what is new.
	foreach (array_keys($_SESSION) as $key) {
		if ($key !== 'map' && mt_rand(0, 4) == 0) {
			unset($_SESSION[$key]);
			$patch[] = ['op' => 'remove', 'path' => "/$key"];
		}
	}
	foreach (["/map/new" . mt_rand(0, 3), '/map/a', '/added'] as $path) {
		if (mt_rand(0, 2) == 0) continue;
		$text = json_encode(json(3), JSON_PRESERVE_ZERO_FRACTION | JSON_THROW_ON_ERROR);
		$patch[] = ['op' => 'add', 'path' => $path, 'value' => json_decode($text)];
		if ($path == '/added') $_SESSION['added'] = json_decode($text, true);
		else $_SESSION['map'][substr($path, 5)] = json_decode($text, true);
	}
	$line = ['seed' => $seed, 'form' => $form, 'before' => base64_encode($before), 'patch' => $patch, 'after' => base64_encode(session_encode())];
	session_abort();
	fwrite(STDOUT, json_encode($line, JSON_PRESERVE_ZERO_FRACTION | JSON_THROW_ON_ERROR) . "\n");
}
@unlink(sys_get_temp_dir() . '/sess_caddytest' . getmypid());
ob_end_clean();
