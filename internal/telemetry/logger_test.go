package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
)

func logged(t *testing.T, level string, write func(*slog.Logger)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	write(NewLogger(&out, level, "api"))
	if out.Len() == 0 {
		return nil
	}
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line), out.String())
	return line
}

func TestALineIsJSONWithProcessLevelAndTime(t *testing.T) {
	line := logged(t, "info", func(l *slog.Logger) { l.Info("started", "port", 8080, "took", time.Second) })
	assert.Equal(t, "api", line["process"])
	assert.Equal(t, "INFO", line["level"])
	assert.Equal(t, "started", line["msg"])
	assert.InDelta(t, 8080, line["port"], 0)
	_, err := time.Parse(time.RFC3339Nano, line["time"].(string))
	require.NoError(t, err)
}

func TestLevels(t *testing.T) {
	levels := []string{"debug", "info", "warn", "error"}
	for i, least := range levels {
		for j, level := range levels {
			line := logged(t, least, func(l *slog.Logger) { l.Log(context.Background(), levelOf(level), "x") })
			assert.Equal(t, j >= i, line != nil, "%s at %s", level, least)
		}
	}
	assert.Equal(t, slog.LevelInfo, levelOf("loud"))
	assert.Equal(t, slog.LevelWarn, levelOf("WARN"))
}

func TestSecretsAreMaskedByName(t *testing.T) {
	for _, key := range []string{"token", "Token", "auth_token", "accessToken", "tokens", "authorization", "Authorization",
		"proxy-authorization", "password", "db.password", "secret", "clientSecret", "secret_key", "dsn", "DATABASE_DSN", "apiKey", "bearer"} {
		line := logged(t, "info", func(l *slog.Logger) { l.Info("x", key, "hunter2") })
		assert.Equal(t, masked, line[key], key)
	}
	for _, key := range []string{"tokenId", "service", "reason", "tokenised", "url"} {
		line := logged(t, "info", func(l *slog.Logger) { l.Info("x", key, "shown") })
		assert.Equal(t, "shown", line[key], key)
	}
}

func TestSecretsAreMaskedInGroupsAndDerivedLoggers(t *testing.T) {
	var out bytes.Buffer
	l := NewLogger(&out, "info", "api").With("token", "hunter2").WithGroup("database").With("password", "hunter2")
	l.Info("x", slog.Group("secret", "value", "hunter2"), slog.Group("inner", "dsn", "hunter2"))
	assert.NotContains(t, out.String(), "hunter2")
	assert.Equal(t, 4, strings.Count(out.String(), masked))
}

func TestSecretsAreMaskedByForm(t *testing.T) {
	address, err := url.Parse("redis://default:hunter2@cache:6379/0")
	require.NoError(t, err)
	jwt := "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.hunter2hunter2"
	cases := map[string]any{
		"an address":              "dial postgres://app:hunter2@db:5432/wedsync failed",
		"an address with an at":   "dial postgres://app:hun@ter2@db:5432/wedsync failed",
		"an error":                fmt.Errorf("open: %w", errors.New("postgres://app:hunter2@db/x")),
		"a stringer":              address,
		"a bearer header":         "Bearer abc.hunter2hunter2",
		"a token in the middle":   "got " + jwt + " from x",
		"a token inside an error": errors.New("refused " + jwt),
	}
	for name, value := range cases {
		t.Run(name, func(t *testing.T) {
			line := logged(t, "info", func(l *slog.Logger) { l.Info("x", "what", value) })
			assert.NotContains(t, line["what"], "ter2")
			assert.Contains(t, line["what"], masked)
		})
	}
	line := logged(t, "info", func(l *slog.Logger) { l.Info("dial postgres://app:hunter2@db") })
	assert.Equal(t, "dial postgres://app:***@db", line["msg"])
	plain := "GET http://127.0.0.1:8080/a?b=c took 3s, x@y"
	assert.Equal(t, plain, newRedactor().scrub(plain), "an address without a password stays as it is")
}

func TestTheSpanInTheContextIsNamed(t *testing.T) {
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	ctx := trace.ContextWithSpanContext(context.Background(), span)
	line := logged(t, "info", func(l *slog.Logger) { l.With("a", 1).InfoContext(ctx, "x") })
	assert.Equal(t, span.TraceID().String(), line["trace_id"])
	assert.Equal(t, span.SpanID().String(), line["span_id"])
	line = logged(t, "info", func(l *slog.Logger) { l.InfoContext(context.Background(), "x") })
	assert.NotContains(t, line, "trace_id")
}
