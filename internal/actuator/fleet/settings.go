package fleet

import (
	"fmt"
	"time"

	"github.com/wedsync/scalability/models"
)

// ServiceSettings is what the plant knows of one service. The defaults are the values
// of the catalogue; Configure replaces them while the fleet runs.
type ServiceSettings struct {
	Service               models.ServiceName `json:"service"`
	CapacityRPS           float64            `json:"capacityRps"`           // requests per second of one replica at 100 %
	InitialReplicas       int                `json:"initialReplicas"`       // spec of a new fleet
	Quota                 int                `json:"quota"`                 // replicas the provider allows, 0 = no quota
	StartupP50Seconds     float64            `json:"startupP50Seconds"`     // order to ready
	StartupP95Seconds     float64            `json:"startupP95Seconds"`     // order to ready
	ConnectionsPerReplica int                `json:"connectionsPerReplica"` // database connections one ready replica holds
	BaseLatencyMS         float64            `json:"baseLatencyMs"`         // mean service time of an idle replica
	TimeoutSeconds        float64            `json:"timeoutSeconds"`        // a request that would wait longer fails
	QueuePerReplica       float64            `json:"queuePerReplica"`       // requests one replica lets wait

	Template    string                   `json:"template,omitempty"`    // what new replicas are made from
	Schedulable int                      `json:"schedulable,omitempty"` // replicas that the nodes have room for, 0 = no bound;
	NodeSeconds float64                  `json:"nodeSeconds,omitempty"` // more of them start this much later, on new nodes
	Downstream  []models.DownstreamLimit `json:"downstream,omitempty"`  // what the services behind it can take
}

// Settings is a whole fleet.
type Settings struct {
	Seed                uint64            `json:"seed"`
	TickMilliseconds    int               `json:"tickMilliseconds"` // 0 = 100
	DatabaseConnections int               `json:"databaseConnections"`
	DatabaseReserved    int               `json:"databaseReserved"` // kept back for administration
	Services            []ServiceSettings `json:"services"`
}

// DefaultSettings is the fleet of the embedded default: nine services with the values
// of the catalogue, over one database.
func DefaultSettings() Settings {
	s := Settings{Seed: 1, TickMilliseconds: 100, DatabaseConnections: 200, DatabaseReserved: 20}
	for _, d := range []struct {
		name        models.ServiceName
		rps         float64
		initial     int
		connections int
		baseMS      float64
	}{
		{models.ServiceAPI, 100, 4, 4, 40},
		{models.ServiceDatabase, 250, 2, 0, 12},
		{models.ServiceAuth, 150, 2, 2, 25},
		{models.ServiceStorage, 120, 2, 1, 50},
		{models.ServiceRealtime, 200, 2, 1, 20},
		{models.ServiceMedia, 60, 2, 1, 90},
		{models.ServiceNotifications, 150, 2, 1, 35},
		{models.ServiceSearch, 90, 2, 2, 60},
		{models.ServiceAnalytics, 80, 2, 2, 80},
	} {
		s.Services = append(s.Services, ServiceSettings{
			Service: d.name, CapacityRPS: d.rps, InitialReplicas: d.initial,
			StartupP50Seconds: 8, StartupP95Seconds: 20, ConnectionsPerReplica: d.connections,
			BaseLatencyMS: d.baseMS, TimeoutSeconds: 5, QueuePerReplica: 2 * d.rps, Template: "v1",
		})
	}
	return s
}

// maxReplicas bounds the model of one service, so that a wrong order cannot eat the
// machine's memory.
const maxReplicas = 2000

// Validate gives the first setting that no fleet can have.
func (s ServiceSettings) Validate() error {
	if _, err := models.ParseServiceName("service", string(s.Service)); err != nil {
		return err
	}
	for _, b := range []struct {
		field    string
		v        float64
		min, max float64
	}{
		{"capacityRps", s.CapacityRPS, 0.001, 1e6},
		{"initialReplicas", float64(s.InitialReplicas), 0, maxReplicas},
		{"quota", float64(s.Quota), 0, maxReplicas},
		{"startupP50Seconds", s.StartupP50Seconds, 0, 3600},
		{"startupP95Seconds", s.StartupP95Seconds, s.StartupP50Seconds, 3600},
		{"connectionsPerReplica", float64(s.ConnectionsPerReplica), 0, 10000},
		{"baseLatencyMs", s.BaseLatencyMS, 0.1, 60000},
		{"timeoutSeconds", s.TimeoutSeconds, 0.1, 600},
		{"queuePerReplica", s.QueuePerReplica, 0, 1e7},
		{"schedulable", float64(s.Schedulable), 0, maxReplicas},
		{"nodeSeconds", s.NodeSeconds, 0, 3600},
	} {
		if !(b.v >= b.min && b.v <= b.max) {
			return models.Invalid(b.field, b.v, fmt.Sprintf("must be from %g to %g", b.min, b.max))
		}
	}
	return s.validateNames()
}

// validateNames bounds what is text, and the limits behind the service.
func (s ServiceSettings) validateNames() error {
	if len(s.Template) > maxName {
		return models.Invalid("template", s.Template, "must have at most 100 characters")
	}
	if len(s.Downstream) > maxDownstream {
		return models.Invalid("downstream", len(s.Downstream), "must be at most 20")
	}
	for i, d := range s.Downstream {
		switch {
		case d.Name == "" || len(d.Name) > maxName:
			return models.Invalid(fmt.Sprintf("downstream[%d].name", i), d.Name, "must have 1 to 100 characters")
		case !(d.RPS >= 0 && d.RPS <= 1e9):
			return models.Invalid(fmt.Sprintf("downstream[%d].rps", i), d.RPS, "must be from 0 to 1e9")
		case !(d.Calls >= 0 && d.Calls <= 1000):
			return models.Invalid(fmt.Sprintf("downstream[%d].calls", i), d.Calls, "must be from 0 to 1000")
		}
	}
	return nil
}

const (
	maxName       = 100
	maxDownstream = 20
)

// Validate checks every service and that none is named twice.
func (s Settings) Validate() error {
	if s.TickMilliseconds < 0 || s.TickMilliseconds > 1000 || (s.TickMilliseconds > 0 && 1000%s.TickMilliseconds != 0) {
		return models.Invalid("tickMilliseconds", s.TickMilliseconds, "must divide 1000, or be 0 for 100")
	}
	if s.DatabaseConnections < 0 || s.DatabaseReserved < 0 || s.DatabaseReserved > s.DatabaseConnections {
		return models.Invalid("databaseReserved", s.DatabaseReserved, "must be from 0 to databaseConnections")
	}
	seen := map[models.ServiceName]bool{}
	for i, svc := range s.Services {
		if err := svc.Validate(); err != nil {
			return fmt.Errorf("services[%d]: %w", i, err)
		}
		if seen[svc.Service] {
			return models.Invalid(fmt.Sprintf("services[%d].service", i), svc.Service, "must be named once")
		}
		seen[svc.Service] = true
	}
	return nil
}

func (s Settings) tick() time.Duration {
	if s.TickMilliseconds == 0 {
		return 100 * time.Millisecond
	}
	return time.Duration(s.TickMilliseconds) * time.Millisecond
}

// ServiceChange is a change of settings that the catalogue pushes; nil fields stay.
type ServiceChange struct {
	CapacityRPS           *float64 `json:"capacityRps,omitempty"`
	Quota                 *int     `json:"quota,omitempty"`
	StartupP50Seconds     *float64 `json:"startupP50Seconds,omitempty"`
	StartupP95Seconds     *float64 `json:"startupP95Seconds,omitempty"`
	ConnectionsPerReplica *int     `json:"connectionsPerReplica,omitempty"`
	BaseLatencyMS         *float64 `json:"baseLatencyMs,omitempty"`
	TimeoutSeconds        *float64 `json:"timeoutSeconds,omitempty"`
	QueuePerReplica       *float64 `json:"queuePerReplica,omitempty"`

	Template    *string                   `json:"template,omitempty"`
	Schedulable *int                      `json:"schedulable,omitempty"`
	NodeSeconds *float64                  `json:"nodeSeconds,omitempty"`
	Downstream  *[]models.DownstreamLimit `json:"downstream,omitempty"`
}

// with gives the settings after a change.
func (s ServiceSettings) with(c ServiceChange) ServiceSettings {
	set(&s.CapacityRPS, c.CapacityRPS)
	set(&s.Quota, c.Quota)
	set(&s.StartupP50Seconds, c.StartupP50Seconds)
	set(&s.StartupP95Seconds, c.StartupP95Seconds)
	set(&s.ConnectionsPerReplica, c.ConnectionsPerReplica)
	set(&s.BaseLatencyMS, c.BaseLatencyMS)
	set(&s.TimeoutSeconds, c.TimeoutSeconds)
	set(&s.QueuePerReplica, c.QueuePerReplica)
	set(&s.Template, c.Template)
	set(&s.Schedulable, c.Schedulable)
	set(&s.NodeSeconds, c.NodeSeconds)
	set(&s.Downstream, c.Downstream)
	return s
}

func set[T any](to *T, v *T) {
	if v != nil {
		*to = *v
	}
}
