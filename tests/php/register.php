<?php
// A register in PHP: register.php IP:PORT SECRET.
declare(strict_types=1);

namespace Peer;

require __DIR__ . '/protocol.php';

[$listener, $streams, $buffers, $gateways, $workers] = [stream_socket_server("tcp://$argv[1]"), [], [], [], []];
$tell = function (array $whom) use (&$gateways, &$streams): void {
    $line = to_json(['event' => 'broadcast_addresses', 'addresses' => array_values(array_unique($gateways))]) . "\n";
    foreach ($whom as $id) {
        send($streams[$id], $line);
    }
};
while (true) {
    $ready = ['new' => $listener] + $streams;
    $write = $except = null;
    stream_select($ready, $write, $except, 60);
    foreach ($ready as $id => $stream) {
        if ($id === 'new') {
            $new = stream_socket_accept($listener);
            $streams[get_resource_id($new)] = $new;
            $buffers[get_resource_id($new)] = '';
            continue;
        }
        stream_set_blocking($stream, false);
        $bytes = fread($stream, 1 << 16);
        $buffers[$id] .= $bytes;
        $over = $bytes === '' && feof($stream);
        while (!$over && ($line = take_line($buffers[$id])) !== null) {
            $said = json_decode($line, true);
            $over = ($said['event'] ?? '') !== 'ping' && ($said['secret_key'] ?? '') !== $argv[2];
            if (!$over && $said['event'] === 'worker_connect') {
                $workers[$id] = $id;
                $tell([$id]);
            } elseif (!$over && $said['event'] === 'gateway_connect') {
                $gateways[$id] = $said['address'];
                $tell($workers);
            }
        }
        if ($over) {
            $was_gateway = isset($gateways[$id]);
            unset($streams[$id], $buffers[$id], $workers[$id], $gateways[$id]);
            fclose($stream);
            if ($was_gateway) {
                $tell($workers);
            }
        }
    }
}
