package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/wedsync/scalability/internal/audit"
	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/internal/launch"
	"github.com/wedsync/scalability/internal/telemetry"
	"github.com/wedsync/scalability/models"
)

// signingKey reads the key that signs checkpoints; "" where none is configured.
func signingKey(c config.Security) (string, error) {
	if c.AuditSigningKeyFile == "" {
		return c.AuditSigningKey.Reveal(), nil
	}
	if c.AuditSigningKey.IsSet() {
		return "", errors.New("AUDIT_SIGNING_KEY and AUDIT_SIGNING_KEY_FILE: set one of them")
	}
	key, err := os.ReadFile(c.AuditSigningKeyFile)
	if err != nil {
		return "", fmt.Errorf("AUDIT_SIGNING_KEY_FILE: %w", err)
	}
	return string(key), nil
}

// openAudit begins the streams of this process, and has each change to the records kept in
// its own transaction.
func (s *parts) openAudit(ctx context.Context, process string) error {
	if !s.cfg.Security.AuditLogging {
		s.audit = audit.Disabled(s.log)
		return nil
	}
	m := telemetry.NewAuditMetrics(s.registry)
	w, err := audit.Open(ctx, audit.Options{
		URL: s.cfg.Database.URL.Reveal(), Process: process, Log: s.log, OnBatch: m.Committed,
		OnAnchored: m.Anchored,
		OnCount:    func(c audit.Count) { m.Counted(c.Issued, c.Committed, c.Refused) },
	})
	if err != nil {
		return err
	}
	s.audit, s.trail = w, w
	s.store = s.store.Audited(w.Changes())
	s.closers = append(s.closers, w.Close)
	return s.openAnchor()
}

// openAnchor lets this process sign checkpoints.
func (s *parts) openAnchor() error {
	key, err := signingKey(s.cfg.Security)
	if err != nil {
		return err
	}
	if key == "" {
		s.log.Warn("nothing vouches for the audit trail: no key signs its checkpoints", "variable", "AUDIT_SIGNING_KEY_FILE")
		return nil
	}
	to, err := audit.NewCopier(s.cfg.Security.AuditCheckpointCopy.Reveal())
	if err != nil {
		return err
	}
	if to == nil {
		s.log.Warn("signed checkpoints of the audit trail stay in the database alone", "variable", "AUDIT_CHECKPOINT_COPY")
	}
	if s.anchor, err = s.trail.NewAnchor(key, to); err != nil {
		return err
	}
	s.publicKeys, err = publicKeys(s.cfg.Security, key)
	return err
}

// publicKeys check what a key signs, and what was signed before with others.
func publicKeys(c config.Security, private string) ([]string, error) {
	keys := strings.FieldsFunc(c.AuditFormerKeys, func(r rune) bool { return r == ',' || r == ' ' })
	if err := audit.CheckKeys(keys); err != nil {
		return nil, fmt.Errorf("AUDIT_FORMER_KEYS: %w", err)
	}
	if private == "" {
		return keys, nil
	}
	public, err := audit.PublicKey(private)
	if err != nil {
		return nil, err
	}
	return append([]string{public}, keys...), nil
}

// runAnchor signs a checkpoint each minute until ctx ends.
func (s *parts) runAnchor(ctx context.Context) error {
	if s.anchor != nil {
		s.anchor.Run(ctx)
	}
	return nil
}

// keeper is the trail for the recurring duties.
type keeper struct {
	trail      *audit.Writer
	url        string
	publicKeys []string
	copies     string // address or folder of the copied checkpoints
}

// Retire drops what is older than the retention and sealed.
func (k keeper) Retire(ctx context.Context, days int) ([]string, error) {
	return k.trail.Retire(ctx, days, k.publicKeys)
}

// ReconcileIntents closes intents without an outcome.
func (k keeper) ReconcileIntents(ctx context.Context) ([]string, error) {
	return k.trail.ReconcileIntents(ctx)
}

// Verify looks at the whole trail, and keeps what it found.
func (k keeper) Verify(ctx context.Context) (string, bool, error) {
	r, err := verifyOnRecord(ctx, k.trail, "svc:worker", audit.VerifyOptions{URL: k.url, Process: "verify", PublicKeys: k.publicKeys, Copies: folderOf(k.copies)})
	if err != nil {
		return "", false, err
	}
	if v := r.Verdict(); v != audit.Sound {
		return r.Findings[0].String(), false, nil
	}
	return fmt.Sprintf("%d rows of %d streams are sound", r.Rows, r.Streams), true, nil
}

// verifyOnRecord verifies, and puts what was found into the trail itself.
func verifyOnRecord(ctx context.Context, w *audit.Writer, actor string, o audit.VerifyOptions) (audit.Report, error) {
	r, err := audit.Verify(ctx, o)
	if err != nil {
		return r, err
	}
	e := models.AuditEntry{
		Actor: actor, Action: "audit.verify", Object: "audit", Decision: models.AuditAllow, Rule: r.Verdict().String(),
		Context: map[string]string{"rows": fmt.Sprint(r.Rows), "checkpoints": fmt.Sprint(r.Checkpoints), "unanchored": fmt.Sprint(r.Unanchored)},
	}
	if len(r.Findings) > 0 {
		e.Context["first"] = r.Findings[0].String()
	}
	return r, w.Record(ctx, e)
}

// launches is the Launcher whose commands are on record before they are given, and after.
type launches struct {
	*launch.Launcher
	trail *audit.Writer // nil: the trail is off
}

func (l launches) command(ctx context.Context, actor, action, object string, do func(context.Context) error) error {
	if l.trail == nil {
		return do(ctx)
	}
	o := models.OriginFrom(ctx)
	return l.trail.Command(ctx, models.AuditEntry{
		Actor: actor, Action: action, Object: object, RequestID: o.RequestID, TraceID: o.TraceID, RemoteIP: o.RemoteIP,
	}, do)
}

// Control pauses, resumes or overrides.
func (l launches) Control(ctx context.Context, c models.ControlCommand) (r models.ControlResult, err error) {
	err = l.command(ctx, c.Actor, string(c.Action), "service/"+string(c.Service), func(ctx context.Context) (e error) {
		r, e = l.Launcher.Control(ctx, c)
		return e
	})
	return r, err
}

// StartWorkflow starts an Autoscale or Maintenance workflow.
func (l launches) StartWorkflow(ctx context.Context, c models.StartCommand) (r models.WorkflowRun, err error) {
	err = l.command(ctx, c.Actor, "start", "workflow/"+string(c.Kind)+"/"+string(c.Service)+c.Job, func(ctx context.Context) (e error) {
		r, e = l.Launcher.StartWorkflow(ctx, c)
		return e
	})
	return r, err
}

// SignalWorkflow sends a spike or a reservation change.
func (l launches) SignalWorkflow(ctx context.Context, c models.SignalCommand) error {
	return l.command(ctx, c.Actor, "signal", "workflow/"+c.WorkflowID, func(ctx context.Context) error { return l.Launcher.SignalWorkflow(ctx, c) })
}

// CancelWorkflow asks a run to stop.
func (l launches) CancelWorkflow(ctx context.Context, id, actor, reason string) error {
	return l.command(ctx, actor, "cancel", "workflow/"+id, func(ctx context.Context) error {
		return l.Launcher.CancelWorkflow(ctx, id, actor, reason)
	})
}

// Approve agrees to a change that waits.
func (l launches) Approve(ctx context.Context, c models.ApprovalCommand) (v models.ApprovalVerdict, err error) {
	err = l.command(ctx, c.Actor, "approve", "decision/"+c.DecisionID, func(ctx context.Context) (e error) {
		v, e = l.Launcher.Approve(ctx, c)
		return e
	})
	return v, err
}

// Reject says no to a change that waits.
func (l launches) Reject(ctx context.Context, c models.ApprovalCommand) (v models.ApprovalVerdict, err error) {
	err = l.command(ctx, c.Actor, "reject", "decision/"+c.DecisionID, func(ctx context.Context) (e error) {
		v, e = l.Launcher.Reject(ctx, c)
		return e
	})
	return v, err
}

// StartWeddingDay starts the workflow of a date.
func (l launches) StartWeddingDay(ctx context.Context, date, region, actor string) (r models.WorkflowRun, err error) {
	err = l.command(ctx, actor, "start", "wedding-day/"+date+"/"+region, func(ctx context.Context) (e error) {
		r, e = l.Launcher.StartWeddingDay(ctx, date, region, actor)
		return e
	})
	return r, err
}

// CommandWeddingDay extends, ends or raises.
func (l launches) CommandWeddingDay(ctx context.Context, c models.WeddingDayCommand) (a models.WeddingDayAnswer, err error) {
	err = l.command(ctx, c.Actor, string(c.Action), "wedding-day/"+c.Date+"/"+c.Region, func(ctx context.Context) (e error) {
		a, e = l.Launcher.CommandWeddingDay(ctx, c)
		return e
	})
	return a, err
}

// CancelWeddingDay ends the workflow of a date.
func (l launches) CancelWeddingDay(ctx context.Context, date, region, actor, reason string) error {
	return l.command(ctx, actor, "cancel", "wedding-day/"+date+"/"+region, func(ctx context.Context) error {
		return l.Launcher.CancelWeddingDay(ctx, date, region, actor, reason)
	})
}

// StartSeason begins the preparation of a season.
func (l launches) StartSeason(ctx context.Context, s models.Season) (r models.WorkflowRun, err error) {
	err = l.command(ctx, s.RequestedBy, "start", "season/"+s.ID, func(ctx context.Context) (e error) {
		r, e = l.Launcher.StartSeason(ctx, s)
		return e
	})
	return r, err
}

// CommandSeason approves, rejects, amends or skips a gate.
func (l launches) CommandSeason(ctx context.Context, c models.SeasonCommand) (a models.SeasonAnswer, err error) {
	err = l.command(ctx, c.Actor, string(c.Action), "season/"+c.SeasonID, func(ctx context.Context) (e error) {
		a, e = l.Launcher.CommandSeason(ctx, c)
		return e
	})
	return a, err
}

// CancelSeason ends the preparation of a season.
func (l launches) CancelSeason(ctx context.Context, id, actor, reason string) error {
	return l.command(ctx, actor, "cancel", "season/"+id, func(ctx context.Context) error {
		return l.Launcher.CancelSeason(ctx, id, actor, reason)
	})
}
