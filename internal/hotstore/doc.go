// Package hotstore keeps in Redis what is worthless after minutes: the newest seconds and
// values of metrics, the last health and predictions, and the log of the rate limiter.
//
// Invariant: every key has a lifetime, and nothing is lost that mattered when Redis is
// emptied. When Redis is away each call fails within the time-out as KindUnavailable, a
// metric is missing and never zero, the rate limiter counts in the process and never
// opens, and nobody has more permission than with Redis. It must not import any package
// of ours but models.
//
// Keys:
//
//	metrics:{<service>}:seconds:<minute>   360 s  hash: <unix second>|<metric>|<source> → "<count> <sum>"
//	metrics:<service>:latest                30 s  hash: <metric> → "<unix ns> <value>"
//	prediction:<weddingId>                3600 s  JSON of the newest models.WeddingPrediction
//	system:health:status                    60 s  JSON of models.Health
//	rbac:permissions:<subject>             900 s  JSON of models.Grants, as last read from Postgres
//	ratelimit:<window ms>:<key>           window  list: unix µs of the requests let through
//
// The seconds of one service share a hash tag, so that one node of a cluster has them all.
package hotstore
