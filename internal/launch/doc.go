// Package launch is the Temporal client of the product: it starts, inspects, signals,
// updates and cancels workflows for the API, wakes autoscalers for ingestion, and says
// for reconciliation and health what runs.
//
// Invariant: each call ends within a bounded time with a classified error, Temporal being
// away among them, and touches workflows of this product alone. It never starts an
// autoscaler as a side effect: where auto-scaling is switched off, none runs. It imports
// models, policies, and workflows and activities for the names and types of the contract;
// it must not import api or another adapter.
package launch
