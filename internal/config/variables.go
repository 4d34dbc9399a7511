package config

import "slices"

// privacy says how much of a value may be shown.
type privacy int

const (
	public      privacy = iota
	credentials         // an address that may hold a password
	secret              // nothing of it
)

// variable is one row of the configuration: what docs/configuration.md says of it and
// what its value must be.
type variable struct {
	name     string
	fallback string // the default, in the variable's own form; empty: none
	rule     rule
	help     string
	privacy  privacy
	group    string
}

// variables is every variable, in the order in which they are shown.
func variables() []variable {
	return slices.Concat(
		grouped("Installation", installation()),
		grouped("Components", components()),
		grouped("Thresholds", thresholds()),
		grouped("Weddings", weddings()),
		grouped("Security and audit", security()),
		grouped("Monitoring and alerts", monitoring()),
		grouped("Autoscaling", autoscaling()),
		grouped("Postgres and Redis", stores()),
		grouped("Temporal", temporal()),
		grouped("HTTP and limits", limits()),
		grouped("Tokens", tokens()),
		grouped("Modelled fleet", fleet()),
		grouped("Telemetry", telemetry()),
	)
}

func grouped(name string, vs []variable) []variable {
	for i := range vs {
		vs[i].group = name
	}
	return vs
}

func installation() []variable {
	return []variable{
		{name: "WEDSYNC_ENV", fallback: "production", rule: oneOf("development", "staging", "production"),
			help: "Kind of installation."},
		{name: "WEDSYNC_SITE_URL", fallback: "http://127.0.0.1:8080", rule: webAddress(),
			help: "Public address of the API and the dashboard."},
	}
}

func components() []variable {
	return []variable{
		{name: "SCALABILITY_MONITORING_ENABLED", fallback: "true", rule: boolean(), help: "Ingestion, thresholds and anomaly detection."},
		{name: "SCALABILITY_AUTO_SCALING_ENABLED", fallback: "true", rule: boolean(), help: "The autoscaling loops."},
		{name: "SCALABILITY_WEDDING_INTELLIGENCE_ENABLED", fallback: "true", rule: boolean(), help: "Weddings and forecasts count in decisions."},
		{name: "SCALABILITY_RBAC_ENABLED", fallback: "true", rule: boolean(), help: "Role-based access control."},
	}
}

func thresholds() []variable {
	percent := number(100)
	return []variable{
		{name: "SCALABILITY_CPU_THRESHOLD_WARNING", fallback: "75", rule: percent, help: "CPU utilisation in percent that warns; below the critical one."},
		{name: "SCALABILITY_CPU_THRESHOLD_CRITICAL", fallback: "90", rule: percent, help: "CPU utilisation in percent that is critical."},
		{name: "SCALABILITY_MEMORY_THRESHOLD_WARNING", fallback: "80", rule: percent, help: "Memory utilisation in percent that warns; below the critical one."},
		{name: "SCALABILITY_MEMORY_THRESHOLD_CRITICAL", fallback: "95", rule: percent, help: "Memory utilisation in percent that is critical."},
		{name: "SCALABILITY_RESPONSE_TIME_THRESHOLD_MS", fallback: "1000", rule: whole(1, 600_000, "ms"), help: "95th percentile of the response time, in milliseconds."},
		{name: "SCALABILITY_ERROR_RATE_THRESHOLD", fallback: "0.05", rule: number(1), help: "Share of failed requests; 0.05 is 5 %."},
	}
}

func weddings() []variable {
	return []variable{
		{name: "WEDDING_DAY_MODE_AUTO_ENABLE", fallback: "true", rule: boolean(), help: "Wedding-day mode starts by itself."},
		{name: "WEDDING_SEASON_MULTIPLIERS_ENABLED", fallback: "true", rule: boolean(), help: "The season raises forecasts."},
		{name: "WEDDING_HOLIDAY_COUNTRIES", fallback: "gb", rule: listOf(holidayCountries()...), help: "Countries whose public holidays count in forecasts, by ISO 3166 code. A day that is one in any of them counts."},
		{name: "FORECAST_TIME_ZONE", fallback: "UTC", rule: zone(), help: "Zone whose clock days and weeks follow in forecasts: that of most users, so that their mornings stay mornings where clocks change. Days of plans and of the API stay those of UTC."},
		{name: "WEDDING_EMERGENCY_RESPONSE_ENABLED", fallback: "true", rule: boolean(), help: "People may declare an emergency: capacity at once, verified afterwards."},
		{name: "WEDDING_CONTACT_KEYS", rule: text("id:key,id:key with keys of 32 bytes in base64", maxSecretBytes), privacy: secret, help: "Keys with which contacts are encrypted in the database. The first seals, all of them open. Empty: contacts are refused."},
		{name: "WEDDING_PSEUDONYM_KEY", rule: atLeast(16), privacy: secret, help: "Secret from which references become pseudonyms outside production. Empty: nothing is imported there."},
		{name: "WEDDING_FEEDS_ALLOW_PRIVATE", fallback: "false", rule: boolean(), help: "Calendar feeds may be in private networks. Those on this machine are open in development."},
		{name: "WEDDING_SEASONS", fallback: "northern-summer=03-20..10-31@Europe/London", rule: yearly(), help: "Seasons that are prepared for each year, 35 days ahead. Empty: none."},
		{name: "SEASON_LOAD_TEST", fallback: "off", rule: loadTarget(), help: "What the load test of a season's gates loads: nothing, the modelled fleet, or a test installation at an address, in which {service} stands for the service."},
		{name: "SEASON_LOAD_TEST_MAX_RPS", fallback: "20000", rule: whole(1, 10_000_000, ""), help: "Requests per second that no load test passes."},
	}
}

// holidayCountries are those that forecasts know the holidays of; a test in cmd holds them
// equal to what is known.
func holidayCountries() []string {
	return []string{"at", "au", "be", "ca", "ch", "de", "dk", "es", "fr", "gb", "gr", "ie", "it", "nl", "no", "nz", "pl", "se", "us", "za"}
}

func security() []variable {
	return []variable{
		{name: "RBAC_AUDIT_LOGGING_ENABLED", fallback: "true", rule: boolean(), help: "Each access decision is kept in the audit trail."},
		{name: "SECURITY_THREAT_DETECTION_ENABLED", fallback: "true", rule: boolean(), help: "One worker watches the audit trail for attacks, and the API slows refused calls of those down."},
		{name: "AUDIT_LOG_RETENTION_DAYS", fallback: "365", rule: whole(1, 3650, ""), help: "Days that audit rows are kept."},
		{name: "AUDIT_SIGNING_KEY", rule: text("a key of up to 1000 characters", 1000), privacy: secret, help: "Key that signs checkpoints of the audit trail, as `wedsync audit key` makes it."},
		{name: "AUDIT_SIGNING_KEY_FILE", rule: file(), help: "File with that key, instead of the key itself."},
		{name: "AUDIT_FORMER_KEYS", rule: text("public keys, with commas between", 8192), help: "Public keys that signed checkpoints before, as key or key@time: of the time when the key was given up."},
		{name: "AUDIT_CHECKPOINT_COPY", rule: text("a folder or an http address", 4096), privacy: credentials, help: "Where signed checkpoints are copied: a folder off the machine, or an address that takes HTTP PUT."},
	}
}

func monitoring() []variable {
	return []variable{
		{name: "METRICS_SAMPLING_INTERVAL_MS", fallback: "1000", rule: whole(100, 60_000, "ms"), help: "Time between two samples of a service, in milliseconds."},
		{name: "METRICS_RETENTION_DAYS", fallback: "30", rule: whole(1, 3650, ""), help: "Days that metric rollups are kept."},
		{name: "ANOMALY_DETECTION_ENABLED", fallback: "true", rule: boolean(), help: "Metrics are judged against their own past."},
		{name: "ANOMALY_DETECTION_SENSITIVITY", fallback: "medium", rule: oneOf("low", "medium", "high"), help: "How small a deviation counts."},
		{name: "ALERT_CHANNELS", fallback: "email,slack,pagerduty", rule: listOf("email", "slack", "pagerduty", "sms", "phone"), help: "Channels that alerts may use."},
	}
}

func autoscaling() []variable {
	return []variable{
		{name: "AUTOSCALE_INTERVAL_SECONDS", fallback: "30", rule: whole(1, 300, "s"), help: "Time between two evaluations of a calm service, in seconds. A spike is evaluated at once."},
		{name: "AUTOSCALE_CONTINUE_AS_NEW_EVERY", fallback: "500", rule: whole(1, 10_000, ""), help: "Evaluations before a loop starts a fresh history."},
		{name: "AUTOSCALE_APPROVAL_SECONDS", fallback: "900", rule: whole(1, 86_400, "s"), help: "How long a change that a person has to agree to waits, in seconds. Then it expires."},
		{name: "AUTOSCALE_KILL_SWITCH", fallback: "false", rule: boolean(), help: "Nothing is changed; decisions are made and explained."},
		{name: "AUTOSCALE_BUDGET_HOUR", fallback: "0", rule: number(1e9), help: "What the replicas of one service may cost an hour, in the currency of the catalogue's prices; 0 is no limit. Growth that nobody needs yet stays below it. On a wedding day it only warns."},
		{name: "AUTOSCALE_BUDGET_DAY", fallback: "0", rule: number(1e9), help: "What the replicas of one service may cost from midnight to midnight UTC before people are warned; 0 is no limit."},
		{name: "AUTOSCALE_BUDGET_MONTH", fallback: "0", rule: number(1e9), help: "The same from the first of a month UTC. What was spent is known for as long as metrics are kept."},
	}
}

func stores() []variable {
	postgres := server("postgres://user:password@host:port/database", "postgres", "postgresql")
	return []variable{
		{name: "DATABASE_URL", rule: postgres, privacy: credentials, help: "Postgres, as the application's role."},
		{name: "DATABASE_OWNER_URL", rule: postgres, privacy: credentials, help: "Postgres, as the owner of the tables. Only for `wedsync migrate`."},
		{name: "DATABASE_MAX_CONNECTIONS", fallback: "200", rule: whole(1, 10_000, ""), help: "Connections that one process may hold."},
		{name: "DATABASE_CONNECTION_TIMEOUT_MS", fallback: "30000", rule: whole(1, 600_000, "ms"), help: "Time to get a connection, in milliseconds."},
		{name: "DATABASE_QUERY_TIMEOUT_MS", fallback: "60000", rule: whole(1, 3_600_000, "ms"), help: "Time that one statement may take, in milliseconds."},
		{name: "REDIS_URL", rule: server("redis://user:password@host:port/database", "redis", "rediss"), privacy: credentials, help: "Redis for the hot state and the rate limits; rediss:// with TLS."},
		{name: "REDIS_TLS_CA_FILE", rule: file(), help: "Certificates that Redis' own must come from, with rediss://. Empty: the system's."},
	}
}

func temporal() []variable {
	return []variable{
		{name: "TEMPORAL_ADDRESS", fallback: "127.0.0.1:7233", rule: dialled(), help: "Temporal's frontend."},
		{name: "TEMPORAL_NAMESPACE", fallback: "default", rule: text("a name of up to 255 characters", 255), help: "Temporal namespace."},
		{name: "TEMPORAL_TASK_QUEUE", fallback: "wedsync", rule: text("a name of up to 255 characters", 255), help: "Task queue of the workers."},
		{name: "TEMPORAL_UI_URL", fallback: "http://127.0.0.1:8233", rule: webAddress(), help: "Temporal's web interface, for links, and as the one other origin that may ask for sealed payloads to be opened."},
		{name: "TEMPORAL_PAYLOAD_KEYS", rule: text("id:key,id:key with keys of 32 bytes in base64", maxSecretBytes), privacy: secret, help: "Keys with which workflow payloads are sealed. The first seals, all of them open. Empty: payloads are in the clear."},
		{name: "TEMPORAL_TLS", fallback: "false", rule: boolean(), help: "Temporal is called over TLS."},
		{name: "TEMPORAL_TLS_CA_FILE", rule: file(), help: "Certificates that Temporal's own must come from. Empty: the system's."},
		{name: "TEMPORAL_TLS_CERT_FILE", rule: file(), help: "Certificate that Temporal is shown. With TEMPORAL_TLS_KEY_FILE or not at all."},
		{name: "TEMPORAL_TLS_KEY_FILE", rule: file(), help: "Key of that certificate."},
		{name: "TEMPORAL_TLS_SERVER_NAME", rule: text("a host name", 255), help: "Name in Temporal's certificate, where it is not the host of TEMPORAL_ADDRESS."},
	}
}

func limits() []variable {
	return []variable{
		{name: "API_ADDRESS", fallback: "127.0.0.1:8080", rule: listened(), help: "Where the API listens."},
		{name: "API_TLS_CERT_FILE", rule: file(), help: "Certificate that the API serves with. With API_TLS_KEY_FILE or not at all; a renewed one is taken up within a minute. Empty: in the clear, for a proxy in front."},
		{name: "API_TLS_KEY_FILE", rule: file(), help: "Key of that certificate."},
		{name: "API_TRUSTED_PROXIES", rule: networks(), help: "Proxies in front of the API, as addresses or networks: of their X-Forwarded-For the last address that is none of theirs is taken for the caller's. Empty: the header is not read."},
		{name: "HTTP_SHUTDOWN_GRACE_SECONDS", fallback: "15", rule: whole(0, 300, "s"), help: "Time for open requests to end at a stop, in seconds."},
		{name: "RATE_LIMIT_REQUESTS", fallback: "100", rule: whole(1, 1_000_000, ""), help: "Calls of one subject in the window."},
		{name: "RATE_LIMIT_WINDOW_SECONDS", fallback: "60", rule: whole(1, 3600, "s"), help: "Length of the sliding window, in seconds."},
		{name: "RATE_LIMIT_SIGN_INS", fallback: "20", rule: whole(1, 10_000, ""), help: "Sign-ins from one address in the window."},
		{name: "RATE_LIMIT_INGEST_REQUESTS", fallback: "6000", rule: whole(1, 10_000_000, ""), help: "Metric batches of one subject in the window."},
		{name: "RATE_LIMIT_REPLICAS", fallback: "1", rule: whole(1, 1000, ""), help: "API processes that run side by side. While Redis is away each lets its share of the limits through."},
		{name: "INGEST_MAX_PAST_SECONDS", fallback: "10", rule: whole(1, 3600, "s"), help: "Oldest sample that is taken, in seconds before now."},
		{name: "INGEST_MAX_FUTURE_SECONDS", fallback: "5", rule: whole(0, 300, "s"), help: "Newest sample that is taken, in seconds after now."},
	}
}

func tokens() []variable {
	return []variable{
		{name: "AUTH_TOKEN_SECRET", rule: atLeast(32), privacy: secret, help: "Shared secret of tokens signed with HS256. Exactly one of this, AUTH_JWKS_URL and AUTH_DISCOVERY."},
		{name: "AUTH_JWKS_URL", rule: keysAddress(), privacy: credentials, help: "Key set of an OpenID Connect provider."},
		{name: "AUTH_DISCOVERY", fallback: "false", rule: boolean(), help: "The key set is found by OpenID Connect discovery at AUTH_ISSUER."},
		{name: "AUTH_ISSUER", rule: text("the issuer, up to 255 characters", 255), help: "Issuer that tokens must name."},
		{name: "AUTH_AUDIENCE", fallback: "wedsync-scalability", rule: text("the audience, up to 255 characters", 255), help: "Audience that tokens must name."},
		{name: "AUTH_OIDC_ISSUER", rule: keysAddress(), privacy: credentials, help: "OpenID Connect provider that signs people in at the dashboard. Empty: they paste a token."},
		{name: "AUTH_OIDC_CLIENT_ID", rule: text("the client's ID, up to 255 characters", 255), help: "What the provider knows this platform as; its redirect address is <WEDSYNC_SITE_URL>/auth/callback."},
		{name: "AUTH_OIDC_CLIENT_SECRET", rule: text("the client's secret", maxSecretBytes), privacy: secret, help: "Secret of that client. Empty: a public client, protected by PKCE."},
		{name: "AUTH_SESSION_SECRET", rule: atLeast(32), privacy: secret, help: "Signs the sessions of browsers; the same in all API processes, and used for nothing else."},
		{name: "AUTH_SESSION_HOURS", fallback: "12", rule: whole(1, 168, "h"), help: "How long a browser stays signed in, in hours."},
		{name: "AUTH_METRICS_WRITER_TOKEN", rule: text("a bearer token", maxSecretBytes), privacy: secret, help: "Token with which the fleet and `wedsync replay` deliver metrics."},
	}
}

func fleet() []variable {
	return []variable{
		{name: "FLEET_URL", fallback: "http://127.0.0.1:8090", rule: webAddress(), help: "Where the worker finds the modelled fleet."},
		{name: "FLEET_ADDRESS", fallback: "127.0.0.1:8090", rule: listened(), help: "Where the modelled fleet listens."},
		{name: "FLEET_STATE_FILE", rule: file(), help: "File in which the fleet keeps its state over restarts. Empty: it forgets."},
	}
}

func telemetry() []variable {
	return []variable{
		{name: "LOG_LEVEL", fallback: "info", rule: oneOf("debug", "info", "warn", "error"), help: "Least severe log line that is written."},
		{name: "METRICS_ADDRESS", fallback: "127.0.0.1:9464", rule: listened(), help: "Where /metrics and /healthz listen, apart from the API."},
		{name: "OTEL_EXPORTER_OTLP_ENDPOINT", rule: webAddress(), help: "OpenTelemetry collector (OTLP over HTTP). Empty: tracing is off."},
	}
}
