package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rule accepts or refuses the text of a variable. check gives the text in the form
// that the typed field takes; allowed is what a person reads after "want".
type rule struct {
	allowed string
	check   func(raw string) (normal string, ok bool)
}

// boolean takes true or false in any case, and 1 or 0.
func boolean() rule {
	return rule{"true or false", func(raw string) (string, bool) {
		switch strings.ToLower(raw) {
		case "true", "1":
			return "true", true
		case "false", "0":
			return "false", true
		default:
			return "", false
		}
	}}
}

// number takes a decimal number from 0 to hi; NaN fails both comparisons.
func number(hi float64) rule {
	return rule{fmt.Sprintf("a number from 0 to %g", hi), func(raw string) (string, bool) {
		v, err := strconv.ParseFloat(raw, 64)
		return raw, err == nil && v >= 0 && v <= hi
	}}
}

// whole takes a whole number from lo to hi; unit ("ms", "s" or "") is put behind it,
// so that a typed duration reads it.
func whole(lo, hi int, unit string) rule {
	return rule{fmt.Sprintf("a whole number from %d to %d", lo, hi), func(raw string) (string, bool) {
		v, err := strconv.Atoi(raw)
		return strconv.Itoa(v) + unit, err == nil && v >= lo && v <= hi
	}}
}

// oneOf takes one of the words, in any case.
func oneOf(words ...string) rule {
	return rule{"one of " + strings.Join(words, ", "), func(raw string) (string, bool) {
		word := strings.ToLower(raw)
		return word, slices.Contains(words, word)
	}}
}

// listOf takes words separated by commas, each at most once.
func listOf(words ...string) rule {
	return rule{"a list, separated by commas, of " + strings.Join(words, ", "), func(raw string) (string, bool) {
		var seen []string
		for part := range strings.SplitSeq(raw, ",") {
			word := strings.ToLower(strings.TrimSpace(part))
			if !slices.Contains(words, word) || slices.Contains(seen, word) {
				return "", false
			}
			seen = append(seen, word)
		}
		return strings.Join(seen, ","), true
	}}
}

// webAddress takes an absolute http or https address without credentials, query or
// fragment, and drops a trailing slash.
func webAddress() rule {
	return rule{"an address such as https://wedsync.example", func(raw string) (string, bool) {
		u, err := url.Parse(raw)
		ok := err == nil && (u.Scheme == "http" || u.Scheme == "https") && validHost(u.Hostname()) &&
			validPort(u.Port(), true) && u.User == nil && u.RawQuery == "" && u.Fragment == ""
		return strings.TrimRight(raw, "/"), ok
	}}
}

// keysAddress takes a web address that cannot be tampered with on the way: https, or
// http on this machine. Whoever can change the answer can sign in as anybody.
func keysAddress() rule {
	return rule{"an https address (http on this machine only)", func(raw string) (string, bool) {
		u, err := url.Parse(raw)
		if err != nil || u.User != nil || !validHost(u.Hostname()) || !validPort(u.Port(), true) {
			return "", false
		}
		return raw, u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())
	}}
}

// server takes scheme://[user:password@]host[:port][/path], with one of the schemes.
func server(example string, schemes ...string) rule {
	return rule{example, func(raw string) (string, bool) {
		u, err := url.Parse(raw)
		if err != nil || u.Opaque != "" || !slices.Contains(schemes, u.Scheme) || !validPort(u.Port(), true) {
			return "", false
		}
		// Postgres names a socket folder as ?host=/run/postgresql, with no host before it.
		return raw, validHost(u.Hostname()) || u.Host == "" && u.Query().Get("host") != ""
	}}
}

// dialled takes host:port, both given.
func dialled() rule {
	return rule{"host:port", func(raw string) (string, bool) {
		host, port, err := net.SplitHostPort(raw)
		return raw, err == nil && validHost(host) && validPort(port, false)
	}}
}

// listened takes host:port; an empty host means all interfaces, port 0 a free port.
func listened() rule {
	return rule{"host:port", func(raw string) (string, bool) {
		host, port, err := net.SplitHostPort(raw)
		return raw, err == nil && (host == "" || validHost(host)) && (port == "0" || validPort(port, false))
	}}
}

// text takes up to limit printable bytes; what is said for people.
func text(what string, limit int) rule {
	return rule{what, func(raw string) (string, bool) {
		return raw, len(raw) <= limit && !strings.ContainsFunc(raw, func(r rune) bool { return !strconv.IsPrint(r) })
	}}
}

// loadTarget takes off, fleet or a web address, in which {service} may stand.
func loadTarget() rule {
	words, address := oneOf("off", "fleet"), webAddress()
	return rule{"off, fleet or an address such as https://test.example/{service}", func(raw string) (string, bool) {
		if word, ok := words.check(raw); ok {
			return word, true
		}
		_, ok := address.check(strings.ReplaceAll(raw, "{service}", "api"))
		return raw, ok && !strings.ContainsAny(strings.ReplaceAll(raw, "{service}", ""), "{}")
	}}
}

// networks takes addresses and networks such as 10.0.0.0/8, separated by commas, and writes
// all of them as networks. What covers everybody is refused: any caller could say who they are.
func networks() rule {
	return rule{"addresses or networks such as 10.0.0.0/8, separated by commas", func(raw string) (string, bool) {
		var out []string
		for part := range strings.SplitSeq(raw, ",") {
			part = strings.TrimSpace(part)
			if a, err := netip.ParseAddr(part); err == nil && a.Zone() == "" {
				part = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()).String()
			}
			p, err := netip.ParsePrefix(part)
			if err != nil || p.Bits() == 0 || p.Addr().Is4In6() {
				return "", false
			}
			out = append(out, p.Masked().String())
		}
		return strings.Join(out, ","), true
	}}
}

// file takes a path; whether something is there is found when it is opened.
func file() rule { return text("a path", 4096) }

// yearly takes seasons as name=MM-DD..MM-DD@zone, with commas between them. Whether the
// zone is known is found at the start.
func yearly() rule {
	one := regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,40}=\d\d-\d\d\.\.\d\d-\d\d@[A-Za-z0-9_+/-]{1,60}$`)
	return rule{"name=MM-DD..MM-DD@zone, with commas between", func(raw string) (string, bool) {
		for s := range strings.SplitSeq(raw, ",") {
			if raw != "" && !one.MatchString(s) {
				return raw, false
			}
		}
		return raw, len(raw) <= 2000
	}}
}

// zone takes a name of the zone database; that of the machine differs from place to place.
func zone() rule {
	return rule{"an IANA time zone such as Europe/London", func(raw string) (string, bool) {
		loc, err := time.LoadLocation(raw)
		return raw, err == nil && raw != "" && loc != time.Local
	}}
}

// atLeast takes a secret of that many bytes or more.
func atLeast(bytes int) rule {
	return rule{fmt.Sprintf("a secret of at least %d bytes", bytes), func(raw string) (string, bool) {
		return raw, len(raw) >= bytes && len(raw) <= maxSecretBytes
	}}
}

const maxSecretBytes = 8192

func validPort(port string, emptyToo bool) bool {
	if port == "" {
		return emptyToo
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// validHost takes an IP address or a host name of letters, digits, "-", "_" and ".".
func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if host == "" || len(host) > 253 || host[0] == '.' || host[0] == '-' {
		return false
	}
	return !strings.ContainsFunc(host, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("-_.", r)
	})
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
