-- Catalogue, calendar, claims and decisions. Columns are named as GORM names the fields
-- of the models; '' and NULL follow the Go zero value and the nil pointer.

-- +goose Up
CREATE TABLE services (
    name                    text PRIMARY KEY,
    tier                    text NOT NULL CHECK (tier IN ('critical', 'standard', 'background')),
    actuator                text NOT NULL,
    capacity_rps            double precision NOT NULL CHECK (capacity_rps > 0),
    min_replicas            integer NOT NULL CHECK (min_replicas >= 1),
    max_replicas            integer NOT NULL,
    absolute_max_replicas   integer NOT NULL,
    startup_p50_seconds     double precision NOT NULL,
    startup_p95_seconds     double precision NOT NULL,
    zones                   integer NOT NULL,
    cost_per_replica_hour   double precision NOT NULL,
    connections_per_replica integer NOT NULL,
    slo_response_time_ms    double precision NOT NULL,
    policy                  jsonb NOT NULL,
    revision                bigint NOT NULL,
    created_at              timestamptz NOT NULL,
    updated_at              timestamptz NOT NULL,
    CONSTRAINT services_replicas_check
        CHECK (min_replicas <= max_replicas AND max_replicas <= absolute_max_replicas)
);

CREATE TABLE weddings (
    id           text PRIMARY KEY,
    reference    text NOT NULL CONSTRAINT weddings_reference_key UNIQUE,
    time_zone    text NOT NULL,
    starts_at    timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    wedding_date date NOT NULL,
    guests       integer NOT NULL CHECK (guests >= 1),
    region       text NOT NULL,
    status       text NOT NULL CHECK (status IN ('tentative', 'confirmed', 'cancelled')),
    coordinator  text NOT NULL,
    revision     bigint NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    CONSTRAINT weddings_span_check CHECK (ends_at > starts_at)
);
CREATE INDEX idx_weddings_starts_at ON weddings (starts_at, id);
CREATE INDEX idx_weddings_coordinator ON weddings (coordinator);

CREATE TABLE reservations (
    id         text PRIMARY KEY,
    service    text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('floor', 'cap', 'freeze', 'no_in')),
    replicas   integer NOT NULL CHECK (replicas >= 0),
    guests     integer NOT NULL CHECK (guests >= 0),
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    holder     text NOT NULL,
    reason     text NOT NULL,
    wedding_id text NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    ended_at   timestamptz,
    ended_by   text NOT NULL,
    CONSTRAINT reservations_span_check CHECK (ends_at > starts_at)
);
-- The autoscaler asks for what counts now: everything that has not ended by itself.
CREATE INDEX idx_reservations_service_ends_at ON reservations (service, ends_at);
CREATE INDEX idx_reservations_created_at ON reservations (created_at DESC, id DESC);

CREATE TABLE scaling_states (
    service     text PRIMARY KEY,
    ticked_at   timestamptz NOT NULL,
    spec        integer NOT NULL,
    ready       integer NOT NULL,
    pending     integer NOT NULL,
    desired     integer NOT NULL,
    paused      boolean NOT NULL,
    paused_by   text NOT NULL,
    operation   text NOT NULL,
    explanation jsonb
);

CREATE TABLE scalability_decisions (
    id              text PRIMARY KEY,
    service         text NOT NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    requested_by    text NOT NULL,
    class           text NOT NULL,
    direction       text NOT NULL,
    from_replicas   integer NOT NULL,
    to_replicas     integer NOT NULL,
    sentence        text NOT NULL,
    explanation     jsonb,
    status          text NOT NULL CHECK (status IN ('proposed', 'executing', 'closed')),
    outcome         text NOT NULL,
    outcome_reason  text NOT NULL,
    finished_at     timestamptz,
    final_replicas  integer,
    workflow_id     text NOT NULL,
    reservation_id  text NOT NULL,
    evidence        jsonb,
    spike_sample_at timestamptz,
    ordered_at      timestamptz,
    -- A decision has an outcome and an end exactly when it is closed.
    CONSTRAINT scalability_decisions_outcome_check CHECK ((status = 'closed') = (outcome <> '')),
    CONSTRAINT scalability_decisions_finished_check CHECK ((status = 'closed') = (finished_at IS NOT NULL))
);
CREATE INDEX idx_scalability_decisions_created_at ON scalability_decisions (created_at DESC, id DESC);
CREATE INDEX idx_scalability_decisions_service ON scalability_decisions (service, created_at DESC, id DESC);
CREATE INDEX idx_scalability_decisions_open ON scalability_decisions (created_at, id) WHERE status <> 'closed';

CREATE TABLE wedding_predictions (
    id            text PRIMARY KEY,
    wedding_id    text NOT NULL CONSTRAINT wedding_predictions_wedding_fkey REFERENCES weddings (id),
    wedding_date  date NOT NULL,
    service       text NOT NULL,
    created_at    timestamptz NOT NULL,
    peak_at       timestamptz NOT NULL,
    peak_rps      double precision NOT NULL,
    peak_replicas integer NOT NULL,
    guests        integer NOT NULL,
    method        text NOT NULL
);
CREATE INDEX idx_wedding_predictions_date ON wedding_predictions (wedding_date, created_at DESC);
CREATE INDEX idx_wedding_predictions_wedding ON wedding_predictions (wedding_id, created_at DESC);

CREATE TABLE system_health_snapshots (
    id      text PRIMARY KEY,
    at      timestamptz NOT NULL,
    overall text NOT NULL CHECK (overall IN ('healthy', 'degraded', 'unhealthy')),
    health  jsonb NOT NULL
);
CREATE INDEX idx_system_health_snapshots_at ON system_health_snapshots (at DESC);
