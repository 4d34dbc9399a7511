package telemetry

import (
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
)

const masked = "***"

// redactor masks secrets by the name of the attribute and, in any text, by form:
// passwords in addresses, bearer tokens and JSON web tokens; in doubt too much. It is
// the last net: callers do not log secrets in the first place.
type redactor struct {
	urlPassword *regexp.Regexp
	bearer      *regexp.Regexp
	webToken    *regexp.Regexp
}

func newRedactor() redactor {
	return redactor{
		urlPassword: regexp.MustCompile(`(://[^:@/?#\s]*):\S+@`),
		bearer:      regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}`),
		webToken:    regexp.MustCompile(`\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*`),
	}
}

// replace is the ReplaceAttr of the logger.
func (r redactor) replace(groups []string, a slog.Attr) slog.Attr {
	if secretName(a.Key) || slices.ContainsFunc(groups, secretName) {
		return slog.String(a.Key, masked)
	}
	if a.Value.Kind() == slog.KindString {
		return slog.String(a.Key, r.scrub(a.Value.String()))
	}
	if a.Value.Kind() != slog.KindAny {
		return a // numbers and times hold no text
	}
	switch v := a.Value.Any().(type) {
	case error:
		return slog.String(a.Key, r.scrub(v.Error()))
	case *slog.Source:
		return a
	case fmt.Stringer:
		return slog.String(a.Key, r.scrub(v.String()))
	default:
		return a
	}
}

// scrub masks what has the form of a secret.
func (r redactor) scrub(s string) string {
	s = r.urlPassword.ReplaceAllString(s, "$1:"+masked+"@")
	s = r.bearer.ReplaceAllString(s, "$1 "+masked)
	return r.webToken.ReplaceAllString(s, masked)
}

// secretName says whether an attribute of this name holds a secret: one of the words,
// alone or with others, in any spelling ("apiToken", "db.password", "DSN"). The id of
// a token is no secret.
func secretName(name string) bool {
	plain := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == '.' {
			return -1
		}
		return r
	}, strings.ToLower(name))
	for _, word := range []string{"authorization", "password", "passwd", "secret", "dsn", "apikey"} {
		if strings.Contains(plain, word) {
			return true
		}
	}
	return strings.HasSuffix(plain, "token") || strings.HasSuffix(plain, "tokens") || strings.HasSuffix(plain, "bearer")
}
