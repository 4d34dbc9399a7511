package config

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/wedsync/scalability/models"
)

// prefixes are ours alone: a variable that starts with one of them and is not known is
// a mistake, most likely of typing.
func prefixes() []string {
	return []string{
		"SCALABILITY_", "WEDDING_", "RBAC_", "SECURITY_", "ANOMALY_", "AUDIT_", "ALERT_",
		"AUTOSCALE_", "RATE_LIMIT_", "INGEST_", "WEDSYNC_",
	}
}

// unknown warns of variables that look like ours and are not. Their values are not
// shown: they may be secrets under a misspelt name.
func unknown(given map[string]string) []Warning {
	known := names()
	elsewhere := []string{"WEDSYNC_DATA", "WEDSYNC_CACHE_DIR"} // read by the Makefile and the local stack
	var out []Warning
	for _, name := range sortedKeys(given) {
		ours := slices.ContainsFunc(prefixes(), func(p string) bool { return strings.HasPrefix(name, p) })
		if !ours || known[name] || slices.Contains(elsewhere, name) {
			continue
		}
		message := "is not a known variable and has no effect"
		if near := nearest(name, known); near != "" {
			message += "; did you mean " + near + "?"
		}
		out = append(out, Warning{Variable: name, Message: message})
	}
	return out
}

// exposures warns where a development process can be reached from other machines, and
// where any other speaks to another machine in the clear.
func (c Config) exposures() []Warning {
	if c.Environment != Development {
		return c.clear()
	}
	var out []Warning
	for _, name := range []string{"API_ADDRESS", "METRICS_ADDRESS", "FLEET_ADDRESS"} {
		s, _ := c.setting(name)
		if host, _, err := net.SplitHostPort(s.Value); err == nil && !isLoopback(host) {
			out = append(out, Warning{Variable: name, Message: "other machines can reach this development process at " + s.Value})
		}
	}
	return out
}

// clear lists the servers on other machines that are spoken to without TLS.
func (c Config) clear() []Warning {
	var out []Warning
	warn := func(name, cure string) {
		out = append(out, Warning{Variable: name, Message: "names another machine, which is spoken to in the clear; " + cure})
	}
	if u, err := url.Parse(c.Database.URL.Reveal()); err == nil && remote(u.Hostname()) &&
		!slices.Contains([]string{"verify-full", "verify-ca"}, u.Query().Get("sslmode")) {
		warn("DATABASE_URL", "add sslmode=verify-full and sslrootcert")
	}
	if u, err := url.Parse(c.Redis.URL.Reveal()); err == nil && remote(u.Hostname()) && u.Scheme != "rediss" {
		warn("REDIS_URL", "use rediss://")
	}
	if host, _, err := net.SplitHostPort(c.Temporal.Address); err == nil && remote(host) && !c.Temporal.TLS {
		warn("TEMPORAL_ADDRESS", "set TEMPORAL_TLS")
	}
	return out
}

// twoProviders warns where people are named by one provider in the browser and by another one
// in tokens. Both names become user:<sub>, so the same one at both is the same person here.
func (c Config) twoProviders() []Warning {
	a := c.Auth
	byProvider := a.JWKSURL != "" || a.Discovery
	if a.OIDCIssuer == "" || !byProvider || strings.TrimRight(a.OIDCIssuer, "/") == strings.TrimRight(a.Issuer, "/") {
		return nil
	}
	return []Warning{{Variable: "AUTH_OIDC_ISSUER", Message: "is another provider than AUTH_ISSUER: the same subject at both is the same person here"}}
}

// remote says whether a host is another machine; a socket's folder is not.
func remote(host string) bool { return host != "" && !isLoopback(host) }

// nearest finds the known name with the fewest edits, if a third of the characters or
// fewer need changing; of equals the first in order.
func nearest(name string, known map[string]bool) string {
	if len(name) > 100 {
		return "" // no name of ours is nearly as long
	}
	best, fewest := "", len(name)/3+1
	for k := range known {
		d := models.Edits(name, k)
		if d < fewest || d == fewest && best != "" && k < best {
			best, fewest = k, d
		}
	}
	return best
}
