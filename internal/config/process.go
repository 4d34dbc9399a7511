package config

import (
	"errors"
	"strings"
)

// Process names one of the processes that the binary can be.
type Process string

// The processes that need something of the environment.
const (
	API     Process = "api"
	Worker  Process = "worker"
	Fleet   Process = "fleet"
	Migrate Process = "migrate"
	Token   Process = "token"
	Replay  Process = "replay"
	Inspect Process = "config" // needs nothing: it shows what is there
)

// ValidateFor checks that what process p cannot do without is set, and joins one
// Problem per variable at fault. An unknown process is an error.
func (c Config) ValidateFor(p Process) error {
	switch p {
	case API:
		return errors.Join(c.require("DATABASE_URL", "REDIS_URL", "AUTH_ISSUER"), c.oneKeySource(), c.signIn(),
			c.together("API_TLS_CERT_FILE", "API_TLS_KEY_FILE"), c.together("TEMPORAL_TLS_CERT_FILE", "TEMPORAL_TLS_KEY_FILE"))
	case Worker:
		return errors.Join(c.require("DATABASE_URL", "REDIS_URL"), c.together("TEMPORAL_TLS_CERT_FILE", "TEMPORAL_TLS_KEY_FILE"))
	case Fleet, Replay:
		return c.require("AUTH_METRICS_WRITER_TOKEN")
	case Migrate:
		return c.require("DATABASE_OWNER_URL")
	case Token:
		return c.require("AUTH_TOKEN_SECRET", "AUTH_ISSUER")
	case Inspect:
		return nil
	default:
		return errors.New("config: unknown process " + string(p))
	}
}

// require complains of variables that have neither a value nor a default. Those that
// Load refused are complained of already.
func (c Config) require(names ...string) error {
	var problems []error
	for _, name := range names {
		s, ok := c.setting(name)
		if !ok || s.Value == "" && !c.refused[name] {
			problems = append(problems, Problem{Variable: name, Allowed: s.Allowed, Missing: true})
		}
	}
	return errors.Join(problems...)
}

// together complains where one of two files that go together is missing.
func (c Config) together(one, other string) error {
	a, _ := c.setting(one)
	b, _ := c.setting(other)
	if (a.Value == "") == (b.Value == "") || c.refused[one] || c.refused[other] {
		return nil
	}
	if a.Value != "" {
		one, other = other, one
	}
	return Problem{Variable: one, Allowed: "a path: it goes with " + other, Missing: true}
}

// oneKeySource wants exactly one way to check signatures: with two, which one counts
// would be a guess.
func (c Config) oneKeySource() error {
	names := []string{"AUTH_TOKEN_SECRET", "AUTH_JWKS_URL", "AUTH_DISCOVERY"}
	given := 0
	for i, set := range []bool{c.Auth.TokenSecret.IsSet(), c.Auth.JWKSURL != "", c.Auth.Discovery} {
		if c.refused[names[i]] {
			return nil
		}
		if set {
			given++
		}
	}
	if given == 1 {
		return nil
	}
	return Problem{Variable: strings.Join(names, ", "), Allowed: "exactly one of the three", Missing: given == 0}
}

// signIn wants what goes with a provider.
func (c Config) signIn() error {
	if c.Auth.OIDCIssuer == "" {
		return nil
	}
	if c.Auth.SessionSecret.IsSet() && c.Auth.SessionSecret.Reveal() == c.Auth.TokenSecret.Reveal() {
		return Problem{Variable: "AUTH_SESSION_SECRET", Allowed: "another secret than AUTH_TOKEN_SECRET: what signs sessions signs nothing else"}
	}
	return c.require("AUTH_OIDC_CLIENT_ID", "AUTH_SESSION_SECRET")
}

func (c Config) setting(name string) (Setting, bool) {
	for _, s := range c.settings {
		if s.Name == name {
			return s, true
		}
	}
	return Setting{}, false
}
