<?php
// A back end in PHP: client.php REGISTER SECRET reads requests as lines of JSON and writes the results, as a web page would that
// pushes to clients. Every command and question is a connection of its own, with the secret shown first.
declare(strict_types=1);

namespace Peer;

require __DIR__ . '/calls.php';

final class Client implements Gateways
{
    public function __construct(private string $register, private string $secret)
    {
    }

    public function addresses(): array
    {
        $stream = dial($this->register);
        send($stream, to_json(['event' => 'worker_connect', 'secret_key' => $this->secret]) . "\n");
        $line = json_decode((string) fgets($stream), true);
        if (($line['event'] ?? '') !== 'broadcast_addresses') {
            throw new \RuntimeException('the register did not answer with its list');
        }
        return $line['addresses'];
    }

    public function command(string $gateway, string $frame): void
    {
        $this->connect($gateway, $frame);
    }

    public function ask(string $gateway, string $frame): mixed
    {
        $stream = $this->connect($gateway, $frame);
        $size = unpack('N', read_exactly($stream, 4))[1];
        return read_value(read_exactly($stream, $size));
    }

    private function connect(string $gateway, string $frame)
    {
        $stream = dial($gateway, 1);
        $hello = $this->secret === '' ? '' : frame(GATEWAY_CLIENT_CONNECT, to_json(['secret_key' => $this->secret]));
        send($stream, $hello . $frame);
        return $stream;
    }
}

$calls = new Calls(new Client($argv[1], $argv[2]));
while (($line = fgets(STDIN)) !== false) {
    $answer = [];
    try {
        $answer['result'] = $calls->make(json_decode($line, true));
    } catch (\Throwable $error) {
        $answer['error'] = $error->getMessage();
    }
    echo to_json($answer), "\n";
}
