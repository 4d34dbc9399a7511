// Package devstack runs the product on one machine: private Postgres, Redis and Temporal
// servers on loopback, and a supervisor that keeps them and the product's own processes
// alive until it is told to stop.
//
// The invariant: what it started ends with it. Each child asks the kernel to be signalled
// when its parent dies, is recorded by pid, and is stopped in reverse order. It listens on
// 127.0.0.1 only and touches no server of the system. It imports nothing of ours but models:
// no configuration, no adapter; who needs tokens or migrations hands them in.
package devstack
