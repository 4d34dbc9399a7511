// Package season turns a season's forecast into a capacity plan, says how far a newer plan
// may go without asking again, and which step of the preparation is next.
//
// Invariant: pure functions of their arguments; a plan holds each week of the season once
// for each service, its floor is never above its peak, and neither passes a hard ceiling.
// It imports models and the standard library, and must not import anything with effects.
package season
