<?php
// A business worker in PHP: worker.php REGISTER NAME SECRET EVENT_LOG. Its clients make calls by JSON messages, as those of
// tests/native_worker do, and get "R{...}" back.
declare(strict_types=1);

namespace Peer;

require __DIR__ . '/calls.php';

final class Worker implements Gateways
{
    private array $events = [];      // address => stream for events and commands
    private array $buffers = [];     // address => bytes not read yet
    private array $questions = [];   // address => stream for questions
    private Calls $calls;

    public function __construct(private string $register, private string $name, private string $secret, private string $log)
    {
        $this->calls = new Calls($this);
    }

    public function run(): void
    {
        $register = null;
        $lines = '';
        while (true) {
            if ($register === null && ($register = @stream_socket_client("tcp://$this->register", $code, $why, 1) ?: null) !== null) {
                send($register, to_json(['event' => 'worker_connect', 'secret_key' => $this->secret]) . "\n");
                $lines = '';
            }
            $ready = array_filter(['register' => $register] + $this->events);
            if (!$ready) {
                usleep(100_000);
                continue;
            }
            $write = $except = null;
            stream_select($ready, $write, $except, 0, 100_000);
            foreach ($ready as $address => $stream) {
                stream_set_blocking($stream, false);
                $bytes = fread($stream, 1 << 20);
                $gone = $bytes === '' && feof($stream);
                if ($address === 'register') {
                    $register = $gone ? null : $register;
                    $lines .= $bytes;
                    while (($line = take_line($lines)) !== null) {
                        $this->on_register_line(json_decode($line, true));
                    }
                } elseif ($gone) {
                    unset($this->events[$address], $this->buffers[$address], $this->questions[$address]);
                    $this->note(['left', $address]);
                } else {
                    $this->buffers[$address] .= $bytes;
                    while (isset($this->buffers[$address]) && ($frame = take_frame($this->buffers[$address])) !== null) {
                        $this->on_frame($address, $frame);
                    }
                }
            }
        }
    }

    private function on_register_line(array $line): void
    {
        if ($line['event'] !== 'broadcast_addresses') {
            throw new \RuntimeException('the register said ' . to_json($line));
        }
        $this->note(['addresses', $line['addresses']]);
        foreach ($line['addresses'] as $address) {
            $stream = isset($this->events[$address]) ? null : dial($address, 1);
            if ($stream !== null) {
                $this->events[$address] = $stream;
                $this->buffers[$address] = '';
                send($stream, frame(WORKER_CONNECT, to_json(['worker_key' => "$this->name:0", 'secret_key' => $this->secret])));
                $this->note(['joined', $address]);
            }
        }
    }

    private function on_frame(string $gateway, array $frame): void
    {
        $client = bin2hex(pack('NnN', $frame['local_ip'], $frame['local_port'], $frame['connection']));
        $session = $frame['ext'] === '' ? [] : read_value($frame['ext']);
        $from = [long2ip($frame['client_ip']), $frame['client_port'], long2ip($frame['local_ip']), $frame['gateway_port']];
        switch ($frame['command']) {
            case ON_CONNECT:
                $this->note(['connect', $client, ...$from]);
                break;
            case ON_WEBSOCKET_CONNECT:
                $this->note(['websocket', $client, $frame['body']['get'], $frame['body']['server'], $frame['body']['cookie']]);
                if (isset($frame['body']['get']['refuse'])) {
                    $this->command($gateway, frame(KICK, $frame['body']['get']['refuse'], connection: $frame['connection']));
                } elseif (isset($frame['body']['get']['name'])) {
                    $name = ['name' => $frame['body']['get']['name']];
                    $this->command($gateway, frame(SET_SESSION, ext: serialize($name), connection: $frame['connection']));
                }
                break;
            case ON_MESSAGE:
                $this->on_message($gateway, $frame['connection'], $client, $frame['body'], $session);
                break;
            case ON_CLOSE:
                $this->note(['close', $client, $session ?: new \stdClass(), $frame['flags'], $frame['body']]);
                break;
            case PING:
                break;
            default:
                throw new \RuntimeException("unknown event {$frame['command']}");
        }
    }

    private function on_message(string $gateway, int $connection, string $client, string $message, array $session): void
    {
        $request = json_decode($message, true);
        $this->note(['message', $client, is_array($request) ? $request : strlen($message), $session ?: null]);
        if (!is_array($request)) {
            $this->command($gateway, frame(SEND_TO_ONE, "echo $message", connection: $connection));
            return;
        }
        if (isset($request['long'])) {
            $this->command($gateway, frame(SEND_TO_ONE, str_repeat('z', $request['long']), connection: $connection));
        }
        $before = $session;
        $session = ($request['merge'] ?? []) + ($request['session'] ?? $session);
        $answer = ['id' => $client, 'session' => $session ?: null];
        if (isset($request['call'])) {
            try {
                $answer['result'] = $this->calls->make($request);
            } catch (\Throwable $error) {
                $answer['error'] = $error->getMessage();
            }
        }
        // Whoever has the answer may rely on the session.
        if ($session !== $before) {
            $this->command($gateway, frame(SET_SESSION, ext: serialize($session), connection: $connection));
        }
        $this->command($gateway, frame(SEND_TO_ONE, 'R' . to_json($answer), connection: $connection));
    }

    public function addresses(): array
    {
        return array_keys($this->events);
    }

    public function command(string $gateway, string $frame): void
    {
        if (isset($this->events[$gateway])) {
            send($this->events[$gateway], $frame);
        }
    }

    public function ask(string $gateway, string $frame): mixed
    {
        if (!isset($this->questions[$gateway])) {
            $this->questions[$gateway] = dial($gateway, 1);
            if ($this->secret !== '') {
                send($this->questions[$gateway], frame(GATEWAY_CLIENT_CONNECT, to_json(['secret_key' => $this->secret])));
            }
        }
        send($this->questions[$gateway], $frame);
        $size = unpack('N', read_exactly($this->questions[$gateway], 4))[1];
        return read_value(read_exactly($this->questions[$gateway], $size));
    }

    private function note(array $line): void
    {
        if ($this->log !== '') {
            file_put_contents($this->log, to_json($line) . "\n", FILE_APPEND);
        }
    }
}

(new Worker($argv[1], $argv[2], $argv[3], $argv[4]))->run();
