package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEmptyEnvironmentGivesTheDefaults(t *testing.T) {
	cfg, err := Load(nil)
	require.NoError(t, err)
	assert.Equal(t, Production, cfg.Environment)
	assert.Equal(t, "http://127.0.0.1:8080", cfg.SiteURL)
	assert.Equal(t, Features{true, true, true, true}, cfg.Features)
	assert.Equal(t, Thresholds{75, 90, 80, 95, time.Second, 0.05}, cfg.Thresholds)
	assert.Equal(t, Wedding{DayModeAutoEnable: true, SeasonMultipliers: true, Holidays: "gb", ForecastZone: "UTC", EmergencyResponse: true, Seasons: "northern-summer=03-20..10-31@Europe/London", LoadTest: "off", LoadTestMaxRPS: 20000}, cfg.Wedding)
	assert.Equal(t, Security{AuditLogging: true, ThreatDetection: true, AuditRetentionDays: 365}, cfg.Security)
	assert.Equal(t, Monitoring{time.Second, 30, true, SensitivityMedium,
		[]Channel{ChannelEmail, ChannelSlack, ChannelPagerDuty}}, cfg.Monitoring)
	assert.Equal(t, Database{"", "", 200, 30 * time.Second, time.Minute}, cfg.Database)
	assert.Equal(t, Redis{}, cfg.Redis)
	assert.Equal(t, Temporal{Address: "127.0.0.1:7233", Namespace: "default", TaskQueue: "wedsync", UIURL: "http://127.0.0.1:8233"}, cfg.Temporal)
	assert.Equal(t, APIServer{Address: "127.0.0.1:8080", ShutdownGrace: 15 * time.Second}, cfg.API)
	assert.Equal(t, ModelledFleet{"http://127.0.0.1:8090", "127.0.0.1:8090", ""}, cfg.Fleet)
	assert.Equal(t, Auth{Audience: "wedsync-scalability", SessionLifetime: 12 * time.Hour}, cfg.Auth)
	assert.Equal(t, RateLimit{100, time.Minute, 20, 6000, 1}, cfg.RateLimit)
	assert.Equal(t, Ingest{10 * time.Second, 5 * time.Second}, cfg.Ingest)
	assert.Equal(t, Autoscale{30 * time.Second, 500, 15 * time.Minute, false, 0, 0, 0}, cfg.Autoscale)
	assert.Equal(t, Telemetry{"info", "127.0.0.1:9464", ""}, cfg.Telemetry)
	assert.Empty(t, cfg.Warnings())
}
