package telemetry

import (
	"context"
	"io"
	"log/slog"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// NewLogger writes JSON lines of at least the level (debug, info, warn or error;
// anything else is info) to w. Each line names the process and, where a span is in
// the context, its trace_id and span_id. Secrets are masked, see redact.
func NewLogger(w io.Writer, level, process string) *slog.Logger {
	handler := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: levelOf(level), ReplaceAttr: newRedactor().replace})
	return slog.New(traced{handler}).With(slog.String("process", process))
}

func levelOf(name string) slog.Level {
	switch strings.ToLower(name) {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// traced adds the ids of the span in the context to each record.
type traced struct{ slog.Handler }

// Handle adds the ids and passes the record on.
func (h traced) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the ids on derived loggers.
func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{h.Handler.WithAttrs(attrs)} }

// WithGroup keeps the ids on derived loggers; they then stand inside the group.
func (h traced) WithGroup(name string) slog.Handler { return traced{h.Handler.WithGroup(name)} }
