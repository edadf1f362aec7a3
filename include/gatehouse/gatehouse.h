#pragma once

/// Everything a program of Gatehouse needs: Application, the options of the roles, Events, Client, Cluster, Worker, Task; and
/// GatewayClient, for programs beside it.
#include <gatehouse/application.h>
#include <gatehouse/client.h>
#include <gatehouse/close_reason.h>
#include <gatehouse/cluster.h>
#include <gatehouse/data.h>
#include <gatehouse/error.h>
#include <gatehouse/events.h>
#include <gatehouse/gateway_client.h>
#include <gatehouse/handshake.h>
#include <gatehouse/message.h>
#include <gatehouse/options.h>
#include <gatehouse/protocol.h>
#include <gatehouse/router.h>
#include <gatehouse/task.h>
#include <gatehouse/value.h>
#include <gatehouse/worker.h>
