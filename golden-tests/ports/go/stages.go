// The three stages that check.go checks: put your own code in their place.
package main

import (
	"math"
	"sort"
)

type tensors = map[string]Tensor
type object = map[string]any

func smaller(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func rmsNorm(config object, in tensors) tensors {
	x, weight := in["x"], in["weight"].V
	rows, dim := x.Shape[0], x.Shape[1]
	out := Tensor{Shape: []int{rows, dim}}
	for r := 0; r < rows; r++ {
		squares := 0.0
		for _, a := range x.V[r*dim : (r+1)*dim] {
			squares += a * a
		}
		for d, a := range x.V[r*dim : (r+1)*dim] {
			out.V = append(out.V, a/math.Sqrt(squares/float64(dim)+config["rmsNormEps"].(float64))*(1+weight[d]))
		}
	}
	return tensors{"normed": out}
}

func chunkRepresentation(config object, in tensors) tensors {
	x, bounds := in["states"], in["segments"].V
	heads, length, dim := x.Shape[0], x.Shape[1], x.Shape[2]
	out := Tensor{Shape: []int{len(bounds) - 1, dim}}
	for c := 0; c+1 < len(bounds); c++ {
		n := bounds[c+1] - bounds[c]
		padded := math.Max(n, config["padTo"].(float64))
		for d := 0; d < dim; d++ {
			sum, max := 0.0, math.Inf(-1)
			if padded > n {
				max = 0
			}
			for t := int(bounds[c]); t < int(bounds[c+1]); t++ {
				mean := 0.0
				for h := 0; h < heads; h++ {
					mean += x.V[(h*length+t)*dim+d] / float64(heads)
				}
				sum, max = sum+mean, math.Max(max, mean)
			}
			value := map[string]float64{"avgpool": sum / padded, "avgpool_norm": sum / padded * math.Sqrt(n), "maxpool": max}[config["pooling"].(string)]
			if n == 0 {
				value = 0
			}
			out.V = append(out.V, value)
		}
	}
	return tensors{"chunks": out}
}

func topKSelection(config object, in tensors) tensors {
	if len(config["quirks"].([]any)) > 0 {
		return nil // not covered: this port follows the corrected rules
	}
	scores, blocks := in["tokenScores"], in["blocks"].V
	length, whole := scores.Shape[1], func(name string) int { return int(config[name].(float64)) }
	counts, lists, widest := Tensor{Shape: []int{in["blocks"].Shape[0]}}, [][]int{}, 0
	for r := 0; r < in["blocks"].Shape[0]; r++ {
		start, stop, segment, first := int(blocks[4*r]), int(blocks[4*r+1]), int(blocks[4*r+3]), 0
		if config["slidingWindow"] != nil && start-whole("slidingWindow")+1 > 0 {
			first = start - whole("slidingWindow") + 1
		}
		end, cut := smaller(length, stop), smaller(whole("budget"), length)
		kept, list, rest := map[int]bool{}, []int{}, []int{}
		force := func(k int) {
			if k >= first && k < end && len(list) < cut && !kept[k] {
				kept[k], list = true, append(list, k)
			}
		}
		for k := start; k < stop; k++ {
			force(k)
		}
		for n := 1; n <= whole("localTokens"); n++ {
			force(start - n)
		}
		for n := 0; n < whole("globalTokens"); n++ {
			force(first + n)
		}
		for k := first; k < end; k++ {
			if !kept[k] {
				rest = append(rest, k)
			}
		}
		row := scores.V[segment*length : (segment+1)*length]
		sort.SliceStable(rest, func(a, b int) bool {
			return row[rest[a]] > row[rest[b]] || math.IsNaN(row[rest[b]]) && !math.IsNaN(row[rest[a]])
		})
		list = append(list, rest[:smaller(len(rest), cut-len(list))]...)
		sort.Ints(list)
		counts.V, lists, widest = append(counts.V, float64(len(list))), append(lists, list), -smaller(-widest, -len(list))
	}
	keys := Tensor{Shape: []int{len(lists), widest}}
	for _, list := range lists {
		for i := 0; i < widest; i++ {
			if i < len(list) {
				keys.V = append(keys.V, float64(list[i]))
			} else {
				keys.V = append(keys.V, -1)
			}
		}
	}
	return tensors{"selectedKeys": keys, "selectedCounts": counts}
}

var stages = map[string]func(object, tensors) tensors{"rms-norm": rmsNorm, "chunk-representation": chunkRepresentation, "top-k-selection": topKSelection}
