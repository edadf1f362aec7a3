#include "php_check.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "config_file.h"
#include "php_source.h"

namespace gatehouse::php {
namespace {

using Strings = std::vector<std::string>;

std::vector<int> lines(const std::vector<StartFile::Finding>& findings) {
  std::vector<int> out;
  for (const auto& each : findings) out.push_back(each.line);
  return out;
}

Strings texts(std::string_view source) {
  Strings out;
  for (const Token& token : tokenize(source)) out.push_back(token.text);
  return out;
}

TEST(PhpSource, IsCutIntoWords) {
  EXPECT_EQ(texts("<html><?php $a->b = 'x';"), Strings({"a", "->", "b", "=", "x", ";"}));
  EXPECT_EQ(texts("<?php // $a = 1\n# b\n/* c\n */ D\\E::$f ?> g <?php h"), Strings({"D\\E", "::", "f", "h"}));
  EXPECT_EQ(texts("<?php '\\'\\\\n' \"a\\n\\\"\" 0x10 1_000 010 #[A]"),
            Strings({"'\\n", "a\n\"", "16", "1000", "8", "#", "[", "A", "]"}));
  EXPECT_EQ(texts("<?php <<<EOT\n$x->onConnect = 1;\n  EOT . 'b'"), Strings({"<<<EOT", ".", "b"}));
  EXPECT_EQ(tokenize("<?php\n\n/*\n*/ a")[0].line, 4);
  EXPECT_EQ(tokenize("<?php \"a $b\"")[0].kind, Token::Kind::expression);
  EXPECT_EQ(texts("no php"), Strings());
  for (const char* endless :
       {"<?php '", "<?php \"\\", "<?php /*", "<?php <<<A", "<?php <<<A\n", "<?php $", "<?php 99999999999999999999999", "<?"}) {
    (void)tokenize(endless);
  }
}

// As in workerman-chat, with what shops add.
constexpr std::string_view kStart = R"PHP(<?php
use \Workerman\Worker;
use \GatewayWorker\Gateway;
use \Workerman\Connection\TcpConnection;
require_once __DIR__ . '/../../vendor/autoload.php';
TcpConnection::$defaultMaxPackageSize = 2 * 1024 * 1024;
// $gateway->onConnect = 'not this';
$gateway = new Gateway("Websocket://0.0.0.0:7272");
$gateway->name = 'ChatGateway';
$gateway->count = 4;
$gateway->lanIp = '127.0.0.1';
$gateway->startPort = 2300;
$gateway->pingInterval = 10;
$gateway->pingNotResponseLimit = 1;
$gateway->pingData = '{"type":"ping"}';
$gateway->registerAddress = ['127.0.0.1:1236', '127.0.0.1:1237'];
$gateway->secretKey = getenv('KEY');
$gateway->onConnect = function($connection)
{
    $connection->onWebSocketConnect = function($connection, $request)
    {
        if ($request->header('origin') !== 'https://shop.example') {
            $connection->close();
        }
        if ($connection->name == 'x') { $connection->name = 'y'; }
    };
};
if (!defined('GLOBAL_START')) {
    Worker::runAll();
}
)PHP";

TEST(PhpCheck, WhatRunsInTheGatewayGetsLostAndIsNamed) {
  const StartFile read = read_start_file(kStart);
  EXPECT_EQ(lines(read.lost), (std::vector<int>{18, 20}));
  EXPECT_NE(read.lost[0].text.find("onConnect runs in PHP's gateway"), std::string::npos);
  EXPECT_NE(read.lost[1].text.find("would be let in"), std::string::npos);
  EXPECT_EQ(lines(read.notes), std::vector<int>{17}) << "a key that is made when it runs";
}

TEST(PhpCheck, SettingsBecomeAFileThatCanBeRead) {
  const StartFile read = read_start_file(kStart);
  EXPECT_EQ(read.toml,
            "[[gateway]]\nlisten = \"websocket://0.0.0.0:7272\"\nname = \"ChatGateway\"\ncount = 4\nlan_ip = \"127.0.0.1\"\n"
            "start_port = 2300\nregister = [\"127.0.0.1:1236\", \"127.0.0.1:1237\"]\nping_interval = \"10s\"\n"
            "ping_not_response_limit = 1\nping_data = \"{\\\"type\\\":\\\"ping\\\"}\"\nmax_package_size = 2097152\n\n");
  const std::string path = ::testing::TempDir() + "php_check_test.toml";
  std::ofstream(path) << read.toml;
  const auto file = config::ConfigFile::load(path);
  EXPECT_TRUE(file) << file.error().message;
  std::remove(path.c_str());
}

TEST(PhpCheck, EachWayToPutCodeIntoTheGatewayIsFound) {
  for (const char* source :
       {"$g = new Gateway('websocket://0.0.0.0:1'); $g->onWebSocketConnect = [Check::class, 'run'];",
        "$g = new \\GatewayWorker\\Gateway('websocket://0.0.0.0:1'); $g->ONCLOSE = 'f';",
        "use GatewayWorker\\Gateway as Front; $g = new Front('text://0.0.0.0:1'); $g->onMessage = 'f';",
        "$g = new Gateway('websocket://0.0.0.0:1'); $g->router = function ($w, $c, $cmd, $b) { return reset($w); };",
        "$g = new Gateway('myproto://0.0.0.0:1');", "$g = new Gateway('tcp://0.0.0.0:1'); $g->protocol = MyProtocol::class;",
        "class ShopGateway extends \\GatewayWorker\\Gateway { public function onClientConnect($c) {} }"}) {
    const StartFile read = read_start_file("<?php " + std::string(source));
    EXPECT_EQ(read.lost.size(), 1U) << source;
  }
  for (const char* source :
       {"$g = new Gateway('websocket://0.0.0.0:1'); $g->router = ['GatewayWorker\\Gateway', 'routerRand'];",
        "$w = new BusinessWorker(); $w->onConnect = 'f'; $w->onWorkerStart = 'g';", "if ($g->onConnect == 'f') {}",
        "$g = new Gateway('frame://0.0.0.0:1'); $x = \"$g->onConnect = f\";"}) {
    EXPECT_EQ(read_start_file("<?php " + std::string(source)).lost.size(), 0U) << source;
  }
}

TEST(PhpCheck, ARegisterAndTlsAreTranslatedToo) {
  const StartFile read = read_start_file(
      "<?php $r = new Register('text://127.0.0.1:1236'); $r->secretKey = 'a\"b'; $g = new Gateway('websocket://0.0.0.0:443', "
      "$context);"
      "$g->transport = 'ssl'; $t = new Gateway(\"text://$ip:1\"); $t->startPort = $port; $t->count = 2;");
  EXPECT_EQ(read.toml,
            "[register]\nlisten = \"text://127.0.0.1:1236\"\nsecret_key = \"a\\\"b\"\n\n"
            "[[gateway]]\nlisten = \"wss://0.0.0.0:443\"\nmax_package_size = 10485760\n\n"
            "[[gateway]]\nlisten = \"?://?\"\ncount = 2\nmax_package_size = 10485760\n\n");
  EXPECT_EQ(read.notes.size(), 3U) << "the certificate, an address and a port";
  EXPECT_EQ(read_start_file("<?php $a = 1;").toml, "");
}

}  // namespace
}  // namespace gatehouse::php
