<?php
// PHP's own serialize(), unserialize() and parse_str() as the judges of ours.
//   php php_values.php DECODE SEED COUNT
// DECODE is the built program of decode.cc. Makes COUNT values and COUNT queries from the seed, and of each a few that are broken.
// Ends with status 1 and what differs when something does.
//
// Differences that are meant, and taken out below:
// - objects are refused (never built), where PHP builds __PHP_Incomplete_Class;
// - a reference is read as a copy of what it names, and refused when that is an array around it, which PHP makes a circle of;
// - S: (escaped strings, which serialize() never writes) is refused;
// - what stands behind the value is refused, where PHP 8.2 passes over it;
// - more than 128 levels are refused, where PHP has 4096;
// - a length past 64 bits is refused, which PHP cuts to 64 bits;
// - a double past the range of doubles is refused, where PHP makes INF or 0 of it; serialize() never writes one.
error_reporting(0);
ini_set('serialize_precision', '-1');
[$self, $decode, $seed, $count] = $argv + [null, null, 1, 1000];
mt_srand((int)$seed);

function one_of(array $things) { return $things[mt_rand(0, count($things) - 1)]; }

function some_text(int $most): string {
  $text = '';
  for ($i = mt_rand(0, $most); $i > 0; --$i) $text .= chr(one_of([mt_rand(0, 255), mt_rand(32, 126), 34, 59, 58, 125, 48]));
  return $text;
}

function some_value(int $depth) {
  switch (mt_rand(0, $depth > 0 ? 9 : 6)) {
    case 0: return null;
    case 1: return mt_rand(0, 1) == 1;
    case 2: return one_of([0, -1, 7, PHP_INT_MAX, PHP_INT_MIN, mt_rand(-1000, 1000), mt_rand() << mt_rand(0, 32)]);
    case 3: return one_of([0.0, -0.0, 0.1, 1.5, 1e100, -1e-100, 1e15, 123456789012345678.0, NAN, INF, -INF, PHP_FLOAT_EPSILON,
                           PHP_FLOAT_MAX, PHP_FLOAT_MIN, 5e-324, mt_rand() / 1000, mt_rand() * 1e20, lcg_value()]);
    case 4: case 5: case 6: return some_text(12);
    default:
      $array = [];
      for ($i = mt_rand(0, 4); $i > 0; --$i) {
        $key = one_of([some_text(4), mt_rand(-3, 9), '07', '-0', '-5', '9223372036854775808', 'k', PHP_INT_MIN]);
        if (mt_rand(0, 3) == 0) $array[] = some_value($depth - 1); else $array[$key] = some_value($depth - 1);
        if ($array === false) $array = [];
      }
      return $array;
  }
}

/// The places of all elements, to be shared.
function places(array &$array, array &$out): void {
  foreach ($array as &$element) {
    $out[] = &$element;
    if (is_array($element)) places($element, $out);
  }
}

/// An array of which one or more elements are references to others, as foreach (... as &$row) leaves them.
function some_shared(): array {
  $array = ['a' => some_value(3), 'b' => [some_value(2), [some_value(1)]], 'c' => 7];
  $places = [];
  places($array, $places);
  for ($i = mt_rand(1, 4); $i > 0; --$i) {
    $from = mt_rand(0, count($places) - 1);
    switch (mt_rand(0, 2)) {
      case 0: $array["r$i"] = &$places[$from]; break;
      case 1: $array['b']["r$i"] = &$places[$from]; break;
      default: $array[] = [['deep' => &$places[$from]]];
    }
  }
  return $array;
}

/// The same without references.
function plain($value) {
  if (!is_array($value)) return $value;
  $out = [];
  foreach ($value as $key => $element) $out[$key] = plain($element);
  return $out;
}

function broken(string $text, string $other): string {
  $at = mt_rand(0, max(0, strlen($text) - 1));
  switch (mt_rand(0, 7)) {
    case 0: return substr($text, 0, $at);
    case 1: return substr_replace($text, chr(mt_rand(0, 255)), $at, 1);
    case 2: return substr_replace($text, one_of(['+', '-', '0', '1', '9', ';', ':', '{', '}', '"', 'e', '.', ' ']), $at, mt_rand(0, 1));
    case 3: return substr_replace($text, '', $at, mt_rand(1, 3));
    case 4: return substr($text, 0, $at) . $other . substr($text, $at);
    case 5: return $text . one_of([';', '}', 'i:1;', "\n", ' ']);
    case 6: return preg_replace('/\d+/', one_of(['0', '1', '2', '3', '99', '18446744073709551617', '9223372036854775807', '-1']), $text, 1);
    default: return one_of(['i:+5;', 'i:007;', 'i:-0;', 'd:5;', 'd:.5;', 'd:5.;', 'd:1e5;', 'd:1E+5;', 'd:-INF;', 'd:+INF;', 'd:inf;',
                            'd:NAN;', 'b:2;', 'b:true;', 'N', 'N;', 'N:;', 's:1:"ab";', 's:+1:"a";', 'a:+0:{}', 'a:-1:{}', 'a:0:{};',
                            'a:1:{i:0;}', 'a:1:{d:1;i:1;}', 'a:1:{b:1;i:1;}', 'a:1:{N;i:1;}', 'a:2:{i:0;i:1;i:0;i:2;}',
                            'a:2:{s:1:"7";i:1;i:7;i:2;}', 'S:1:"a";', 'O:8:"stdClass":0:{}', 'C:1:"A":0:{}', 'a:2:{i:0;i:1;i:1;R:2;}',
                            'E:3:"A:B";', 'd:0x1;', 'd:1e;', 'd:-;', 'i:;', 'i:99999999999999999999;', 'i:-99999999999999999999;',
                            'd:1e999;', 'd:' . str_repeat('1', 400) . ';', 'i:1e3;', 'i:1.5;', 'a:1000000000:{}', 's:1000000000:"a";']);
  }
}

function some_query(): string {
  $query = '';
  for ($i = mt_rand(0, 30); $i > 0; --$i) {
    $query .= one_of(['a', 'b', '[', ']', '&', '=', '+', '%', '%41', '%5B', '%5d', '%00', '.', ';', ' ', '1', '-1', "\xff", 'x[]=1', '[k]',
                      'a[b]=2', '&a=3', '%zz', '_', '[ ]', '[[', ']]', '0']);
  }
  return $query;
}

/// What our reader makes of each.
function ours(string $what, array $texts): array {
  global $decode;
  $in = tempnam(sys_get_temp_dir(), 'gatehouse-differential');
  file_put_contents($in, implode('', array_map(fn($text) => pack('N', strlen($text)) . $text, $texts)));
  $out = shell_exec(escapeshellarg($decode) . " $what < " . escapeshellarg($in));
  unlink($in);
  $results = [];
  for ($at = 0; $at < strlen((string)$out); $at += 4 + $size) {
    $size = unpack('N', $out, $at)[1];
    $results[] = substr($out, $at + 4, $size);
  }
  if (count($results) != count($texts)) exit("decode $what answered " . count($results) . ' of ' . count($texts) . " times\n");
  return $results;
}

function php_takes(string $text, &$value): bool {
  try {
    $value = unserialize($text, ['allowed_classes' => false]);
  } catch (Throwable $error) {
    return false;
  }
  return $value !== false || str_starts_with($text, 'b:0;');
}

/// PHP reads a shorter text as a value as well, so what stands behind it has been passed over.
function has_more_behind(string $text): bool {
  for ($at = 0; $at < strlen($text) - 1; ++$at) {
    if (($text[$at] == ';' || $text[$at] == '}') && php_takes(substr($text, 0, $at + 1), $value)) return true;
  }
  return false;
}

function has_double_past_range(string $text): bool {
  preg_match_all('/d:([-+]?[\d.]+)((?:[eE][-+]?\d+)?)/', $text, $found, PREG_SET_ORDER);
  foreach ($found as [, $digits, $exponent]) {
    $value = (float)($digits . $exponent);
    if (is_infinite($value) || ($value == 0.0 && preg_match('/[1-9]/', $digits))) return true;
  }
  return false;
}

function is_circle($value, int $depth = 0): bool {
  if ($depth > 300) return true;
  if (is_array($value)) {
    foreach ($value as $element) if (is_circle($element, $depth + 1)) return true;
  }
  return false;
}

const OK = '0', TOO_DEEP = '2', OBJECT = '4', REFERENCE = '5';

function difference(string $text, string $ours): ?string {
  $taken = php_takes($text, $value);
  if ($ours[0] == OBJECT && preg_match('/[OC]:/', $text)) return null;
  if ($ours[0] == REFERENCE && (preg_match('/r:/', $text) || ($taken && is_circle($value)))) return null;
  if ($ours[0] == TOO_DEEP) return null;
  if ($ours[0] != OK) {
    if (!$taken || preg_match('/S:/', $text) || has_more_behind($text) || has_double_past_range($text) || preg_match('/s:\d{20}/', $text)) return null;
    return 'PHP takes it, ours does not (' . $ours[0] . ')';
  }
  if (!$taken) return 'ours takes it as ' . substr($ours, 1) . ', PHP does not';
  $theirs = serialize(plain($value));
  return substr($ours, 1) === $theirs ? null : 'ours is ' . substr($ours, 1) . ', PHP has ' . $theirs;
}

$texts = [];
$shared = [];
for ($i = 0; $i < $count; ++$i) {
  $text = serialize(some_value(4));
  $texts[] = $text;
  if ($i % 5 == 0) $shared[] = serialize(some_shared());
  for ($k = 0; $k < 3; ++$k) $texts[] = broken(one_of($texts), $text);
}
array_push($texts, ...$shared);
$queries = [];
for ($i = 0; $i < $count; ++$i) $queries[] = some_query();

$differences = [];
$both = 0;
foreach (ours('php', $texts) as $i => $result) {
  if ($result[0] == OK) ++$both;
  $difference = difference($texts[$i], $result);
  if ($difference !== null) $differences[] = json_encode($texts[$i], JSON_INVALID_UTF8_SUBSTITUTE) . ': ' . $difference;
}
foreach (ours('query', $queries) as $i => $result) {
  parse_str($queries[$i], $variables);
  if ($result !== serialize($variables)) {
    $differences[] = 'query ' . json_encode($queries[$i], JSON_INVALID_UTF8_SUBSTITUTE) . ": ours is $result, PHP has " . serialize($variables);
  }
}
echo count($texts), " values, $both of them read by both; ", count($queries), ' queries; ', count($differences), " differences\n";
foreach (array_slice($differences, 0, 20) as $difference) echo $difference, "\n";
exit(count($differences) > 0 ? 1 : 0);
