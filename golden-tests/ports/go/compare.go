// The comparison rules of the vectors: names and shapes are checked before, values here.
package main

import (
	"math"
	"reflect"
)

type comparison struct {
	Kind, Scores, Threshold, Forced string
	BaselineError, Ratio, Floor     float64
	AllowNaN                        bool
}

// tied: the two rows differ only in keys whose score is the threshold, and that are neither forced nor outside the allowed range.
func tied(rule comparison, r int, got, want Tensor, all tensors) bool {
	w, scores := want.Shape[1], all[rule.Scores]
	a, b, forced := map[float64]bool{}, map[float64]bool{}, map[float64]bool{-1: true}
	for i := r * w; i < (r+1)*w; i++ {
		a[got.V[i]], b[want.V[i]], forced[all[rule.Forced].V[i]] = true, true, true
	}
	for k := range a {
		if b[k] {
			delete(a, k)
			delete(b, k)
		}
	}
	only := len(a) == len(b)
	for _, side := range []map[float64]bool{a, b} {
		for k := range side {
			only = only && !forced[k] && k >= all["allowed"].V[2*r] && k < all["allowed"].V[2*r+1] &&
				scores.V[int(all["blocks"].V[4*r+3])*scores.Shape[1]+int(k)] == all[rule.Threshold].V[r]
		}
	}
	return only
}

func compare(rule comparison, got, want Tensor, all tensors) (verdict string, at int, worst, budget float64) {
	if !reflect.DeepEqual(got.Shape, want.Shape) {
		return "fail", -1, math.Inf(1), 0
	}
	if rule.Kind == "selection" && rule.Scores != "" && !reflect.DeepEqual(got.V, want.V) {
		for r := 0; r < want.Shape[0]; r++ {
			if !tied(rule, r, got, want, all) {
				return "fail", r * want.Shape[1], math.Inf(1), 0
			}
		}
		return "near-tie", -1, 0, 0
	}
	if rule.Kind == "continuous" {
		budget = rule.Ratio*rule.BaselineError + rule.Floor
	}
	for i, y := range want.V {
		x, off := got.V[i], math.Abs(got.V[i]-y)
		if x == y || rule.AllowNaN && math.IsNaN(x) && math.IsNaN(y) {
			off = 0
		} else if math.IsNaN(off) || math.IsInf(x, 0) || math.IsInf(y, 0) {
			off = math.Inf(1)
		}
		if off > worst {
			at, worst = i, off
		}
	}
	return map[bool]string{true: "pass", false: "fail"}[worst <= budget], at, worst, budget
}
