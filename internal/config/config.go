package config

import (
	"net/netip"
	"time"
)

// Config is what the environment says, typed. Load makes it; the zero value is of no use.
type Config struct {
	Environment Environment `env:"WEDSYNC_ENV"`
	SiteURL     string      `env:"WEDSYNC_SITE_URL"` // the platform's public address, no trailing slash
	Features    Features
	Thresholds  Thresholds
	Wedding     Wedding
	Security    Security
	Monitoring  Monitoring
	Database    Database
	Redis       Redis
	Temporal    Temporal
	API         APIServer
	Fleet       ModelledFleet
	Auth        Auth
	RateLimit   RateLimit
	Ingest      Ingest
	Autoscale   Autoscale
	Telemetry   Telemetry

	settings []Setting
	warnings []Warning
	refused  map[string]bool // variables that Load has complained about
}

// Environment names the kind of installation.
type Environment string

// The environments.
const (
	Development Environment = "development"
	Staging     Environment = "staging"
	Production  Environment = "production"
)

// Features switches whole components.
type Features struct {
	Monitoring          bool `env:"SCALABILITY_MONITORING_ENABLED"`
	AutoScaling         bool `env:"SCALABILITY_AUTO_SCALING_ENABLED"`
	WeddingIntelligence bool `env:"SCALABILITY_WEDDING_INTELLIGENCE_ENABLED"`
	RBAC                bool `env:"SCALABILITY_RBAC_ENABLED"`
}

// Thresholds are the monitor's limits. Utilisations are percent, the error rate is a
// share from 0 to 1.
type Thresholds struct {
	CPUWarning     float64       `env:"SCALABILITY_CPU_THRESHOLD_WARNING"`
	CPUCritical    float64       `env:"SCALABILITY_CPU_THRESHOLD_CRITICAL"`
	MemoryWarning  float64       `env:"SCALABILITY_MEMORY_THRESHOLD_WARNING"`
	MemoryCritical float64       `env:"SCALABILITY_MEMORY_THRESHOLD_CRITICAL"`
	ResponseTime   time.Duration `env:"SCALABILITY_RESPONSE_TIME_THRESHOLD_MS"`
	ErrorRate      float64       `env:"SCALABILITY_ERROR_RATE_THRESHOLD"`
}

// Wedding switches what the platform does about weddings.
type Wedding struct {
	DayModeAutoEnable bool   `env:"WEDDING_DAY_MODE_AUTO_ENABLE"`
	SeasonMultipliers bool   `env:"WEDDING_SEASON_MULTIPLIERS_ENABLED"`
	Holidays          string `env:"WEDDING_HOLIDAY_COUNTRIES"`
	ForecastZone      string `env:"FORECAST_TIME_ZONE"`
	EmergencyResponse bool   `env:"WEDDING_EMERGENCY_RESPONSE_ENABLED"`
	ContactKeys       Secret `env:"WEDDING_CONTACT_KEYS"` // id:key,id:key; the first seals
	PseudonymKey      Secret `env:"WEDDING_PSEUDONYM_KEY"`
	FeedsPrivate      bool   `env:"WEDDING_FEEDS_ALLOW_PRIVATE"`
	Seasons           string `env:"WEDDING_SEASONS"` // name=MM-DD..MM-DD@zone, one after the other
	LoadTest          string `env:"SEASON_LOAD_TEST"`
	LoadTestMaxRPS    int    `env:"SEASON_LOAD_TEST_MAX_RPS"`
}

// Security holds the switches and the retention of the audit trail.
type Security struct {
	AuditLogging       bool `env:"RBAC_AUDIT_LOGGING_ENABLED"`
	ThreatDetection    bool `env:"SECURITY_THREAT_DETECTION_ENABLED"`
	AuditRetentionDays int  `env:"AUDIT_LOG_RETENTION_DAYS"`

	AuditSigningKey     Secret `env:"AUDIT_SIGNING_KEY"` // signs checkpoints of the trail
	AuditSigningKeyFile string `env:"AUDIT_SIGNING_KEY_FILE"`
	AuditFormerKeys     string `env:"AUDIT_FORMER_KEYS"`     // public keys of those that signed before: key or key@time
	AuditCheckpointCopy Secret `env:"AUDIT_CHECKPOINT_COPY"` // a folder or an address off the machine
}

// Sensitivity of the anomaly detection.
type Sensitivity string

// The sensitivities.
const (
	SensitivityLow    Sensitivity = "low"
	SensitivityMedium Sensitivity = "medium"
	SensitivityHigh   Sensitivity = "high"
)

// Channel is a way to reach somebody.
type Channel string

// The alert channels.
const (
	ChannelEmail     Channel = "email"
	ChannelSlack     Channel = "slack"
	ChannelPagerDuty Channel = "pagerduty"
	ChannelSMS       Channel = "sms"
	ChannelPhone     Channel = "phone"
)

// Monitoring holds sampling, anomaly detection, alert channels and the retention of
// metrics.
type Monitoring struct {
	SamplingInterval     time.Duration `env:"METRICS_SAMPLING_INTERVAL_MS"`
	MetricsRetentionDays int           `env:"METRICS_RETENTION_DAYS"`
	AnomalyDetection     bool          `env:"ANOMALY_DETECTION_ENABLED"`
	AnomalySensitivity   Sensitivity   `env:"ANOMALY_DETECTION_SENSITIVITY"`
	AlertChannels        []Channel     `env:"ALERT_CHANNELS"`
}

// Database is the Postgres that holds the records.
type Database struct {
	URL               Secret        `env:"DATABASE_URL"`
	OwnerURL          Secret        `env:"DATABASE_OWNER_URL"` // for migrations alone
	MaxConnections    int           `env:"DATABASE_MAX_CONNECTIONS"`
	ConnectionTimeout time.Duration `env:"DATABASE_CONNECTION_TIMEOUT_MS"`
	QueryTimeout      time.Duration `env:"DATABASE_QUERY_TIMEOUT_MS"`
}

// Redis is the hot store.
type Redis struct {
	URL       Secret `env:"REDIS_URL"`
	TLSCAFile string `env:"REDIS_TLS_CA_FILE"` // for rediss://; empty: the system's
}

// Temporal is the server that runs the workflows.
type Temporal struct {
	Address   string `env:"TEMPORAL_ADDRESS"`
	Namespace string `env:"TEMPORAL_NAMESPACE"`
	TaskQueue string `env:"TEMPORAL_TASK_QUEUE"`
	UIURL     string `env:"TEMPORAL_UI_URL"`

	PayloadKeys   Secret `env:"TEMPORAL_PAYLOAD_KEYS"` // id:key,id:key; the first seals
	TLS           bool   `env:"TEMPORAL_TLS"`
	TLSCAFile     string `env:"TEMPORAL_TLS_CA_FILE"`
	TLSCertFile   string `env:"TEMPORAL_TLS_CERT_FILE"`
	TLSKeyFile    string `env:"TEMPORAL_TLS_KEY_FILE"`
	TLSServerName string `env:"TEMPORAL_TLS_SERVER_NAME"`
}

// APIServer is the HTTP server.
type APIServer struct {
	Address       string        `env:"API_ADDRESS"`
	ShutdownGrace time.Duration `env:"HTTP_SHUTDOWN_GRACE_SECONDS"`
	TLSCertFile   string        `env:"API_TLS_CERT_FILE"` // both or neither
	TLSKeyFile    string        `env:"API_TLS_KEY_FILE"`

	TrustedProxies []netip.Prefix `env:"API_TRUSTED_PROXIES"`
}

// ModelledFleet says where the fleet listens and where others find it.
type ModelledFleet struct {
	URL       string `env:"FLEET_URL"`
	Address   string `env:"FLEET_ADDRESS"`
	StateFile string `env:"FLEET_STATE_FILE"` // empty: the fleet forgets on restart
}

// Auth says whose tokens count.
type Auth struct {
	TokenSecret Secret `env:"AUTH_TOKEN_SECRET"`
	JWKSURL     string `env:"AUTH_JWKS_URL"`
	Issuer      string `env:"AUTH_ISSUER"`
	Audience    string `env:"AUTH_AUDIENCE"`
	Discovery   bool   `env:"AUTH_DISCOVERY"` // the key set is the one that AUTH_ISSUER names

	OIDCIssuer       string        `env:"AUTH_OIDC_ISSUER"` // empty: no browser signs in
	OIDCClientID     string        `env:"AUTH_OIDC_CLIENT_ID"`
	OIDCClientSecret Secret        `env:"AUTH_OIDC_CLIENT_SECRET"`
	SessionSecret    Secret        `env:"AUTH_SESSION_SECRET"`
	SessionLifetime  time.Duration `env:"AUTH_SESSION_HOURS"`

	MetricsWriterToken Secret `env:"AUTH_METRICS_WRITER_TOKEN"` // what the fleet's reporter shows
}

// RateLimit bounds the calls of one subject in a sliding window.
type RateLimit struct {
	Requests       int           `env:"RATE_LIMIT_REQUESTS"`
	Window         time.Duration `env:"RATE_LIMIT_WINDOW_SECONDS"`
	SignIns        int           `env:"RATE_LIMIT_SIGN_INS"`        // of an address, in the same window
	IngestRequests int           `env:"RATE_LIMIT_INGEST_REQUESTS"` // of metric batches, in the same window
	Replicas       int           `env:"RATE_LIMIT_REPLICAS"`        // API processes, which share the limits while Redis is away
}

// Ingest bounds the timestamps of samples, relative to the server's clock.
type Ingest struct {
	MaxPast   time.Duration `env:"INGEST_MAX_PAST_SECONDS"`
	MaxFuture time.Duration `env:"INGEST_MAX_FUTURE_SECONDS"`
}

// Autoscale paces the loop of each service.
type Autoscale struct {
	Interval           time.Duration `env:"AUTOSCALE_INTERVAL_SECONDS"`
	ContinueAsNewEvery int           `env:"AUTOSCALE_CONTINUE_AS_NEW_EVERY"` // iterations
	ApprovalWait       time.Duration `env:"AUTOSCALE_APPROVAL_SECONDS"`
	KillSwitch         bool          `env:"AUTOSCALE_KILL_SWITCH"` // nothing is changed
	BudgetHour         float64       `env:"AUTOSCALE_BUDGET_HOUR"` // of one service, 0 = no limit
	BudgetDay          float64       `env:"AUTOSCALE_BUDGET_DAY"`
	BudgetMonth        float64       `env:"AUTOSCALE_BUDGET_MONTH"`
}

// Telemetry is what the platform tells about itself.
type Telemetry struct {
	LogLevel       string `env:"LOG_LEVEL"`
	MetricsAddress string `env:"METRICS_ADDRESS"`
	OTLPEndpoint   string `env:"OTEL_EXPORTER_OTLP_ENDPOINT"` // empty: tracing is off
}

// Warnings lists what is allowed but probably not meant.
func (c Config) Warnings() []Warning { return append([]Warning(nil), c.warnings...) }

// Effective lists every variable with its value in effect, secrets masked, in the
// order of docs/configuration.md.
func (c Config) Effective() []Setting { return append([]Setting(nil), c.settings...) }
