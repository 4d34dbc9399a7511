-- Ten-second rollups, one partition a day (UTC). What arrives for a day without a
-- partition waits in the default partition and is moved when the day's own is made.

-- +goose Up
CREATE TABLE scalability_metrics (
    "timestamp"    timestamptz NOT NULL,
    service        text NOT NULL,
    metric         text NOT NULL,
    window_seconds integer NOT NULL,
    sample_count   bigint NOT NULL,
    sum            double precision NOT NULL,
    min            double precision NOT NULL,
    max            double precision NOT NULL,
    last           double precision NOT NULL,
    source         text NOT NULL
) PARTITION BY RANGE ("timestamp");
CREATE TABLE scalability_metrics_default PARTITION OF scalability_metrics DEFAULT;

CREATE INDEX idx_scalability_metrics_timestamp ON scalability_metrics ("timestamp" DESC);
-- The one question that is asked of weeks of history: hourly load of a service. One
-- metric in seven is in this index, with all that the answer needs.
CREATE INDEX idx_scalability_metrics_throughput ON scalability_metrics (service, "timestamp")
    INCLUDE (sum, sample_count) WHERE metric = 'throughput';
