package config

import (
	"net/url"
	"slices"
	"strings"
)

// shown is a value fit for a listing.
func (v variable) shown(raw string) string {
	switch v.privacy {
	case secret:
		return mask
	case credentials:
		return maskURL(raw)
	default:
		return raw
	}
}

// maxBlamedBytes keeps a huge value from filling the terminal.
const maxBlamedBytes = 120

// blamed is a refused value fit for a message. What was refused need not be what the
// variable is for: of a variable that may hold a password nothing is shown, and of
// the others nothing that could be an address with a password or a key in its query.
func (v variable) blamed(raw string) string {
	if v.privacy != public || strings.ContainsAny(raw, "@?") {
		return ""
	}
	if len(raw) > maxBlamedBytes {
		return strings.ToValidUTF8(raw[:maxBlamedBytes], "") + "…"
	}
	return raw
}

// maskURL hides the password of an accepted address, in its user part and its query.
func maskURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return mask
	}
	user := ""
	if u.User != nil {
		user = u.User.Username()
		if _, has := u.User.Password(); has {
			user += ":" + mask
		}
		user += "@"
	}
	shown := u.Scheme + "://" + user + u.Host + u.EscapedPath()
	if q := maskQuery(u.Query()); q != "" {
		shown += "?" + q
	}
	return shown
}

// maskQuery shows only parameters that are known to be harmless.
func maskQuery(q url.Values) string {
	harmless := []string{"sslmode", "host", "port", "application_name", "connect_timeout", "db", "pool_max_conns"}
	var parts []string
	for name, values := range q {
		value := mask
		if slices.Contains(harmless, name) {
			value = strings.Join(values, ",")
		}
		parts = append(parts, name+"="+value)
	}
	slices.Sort(parts)
	return strings.Join(parts, "&")
}
