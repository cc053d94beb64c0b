// Reads the golden vectors and checks the stages of stages.go.
//
//	go run . VECTORS [--json RESULT]          VECTORS is golden-tests/golden/v1
//
// Exit code: 0 everything compared agrees, 1 something differs, 2 a file is missing or is not what its hash says.
package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
)

type golden struct {
	Id, Level        string
	Config           map[string]any
	Inputs, Expected map[string]entry
}

type divergence struct {
	Stage  string  `json:"stage"`
	Layer  int     `json:"layer"`
	Tensor string  `json:"tensor"`
	Index  string  `json:"index"`
	Error  any     `json:"error"`
	Budget float64 `json:"budget"`
}

type result struct {
	Id              string      `json:"id"`
	Level           string      `json:"level"`
	Verdict         string      `json:"verdict"`
	FirstDivergence *divergence `json:"firstDivergence"`
	Diagnosis       []string    `json:"diagnosis"`
	Metrics         object      `json:"metrics"`
}

// jsonNumber: JSON has no infinity; the format writes it as a text.
func jsonNumber(x float64) any {
	if math.IsInf(x, 0) {
		return "Infinity"
	}
	return x
}

func check(folder string, g golden) (result, error) {
	res := result{Id: g.Id, Level: g.Level, Verdict: "not-covered", Diagnosis: []string{}, Metrics: object{}}
	stage, all := stages[strings.Split(g.Id, "/")[1]], tensors{}
	if stage == nil {
		return res, nil
	}
	for _, part := range []map[string]entry{g.Inputs, g.Expected} {
		for name, e := range part {
			t, err := load(folder, name, e)
			if err != nil {
				return res, err
			}
			all[name] = t
		}
	}
	got := stage(g.Config, all)
	if got == nil {
		return res, nil
	}
	res.Verdict = "pass"
	first := math.MaxInt
	for name, e := range g.Expected {
		if t, there := got[name]; there || e.Required {
			verdict, at, worst, budget := "fail", -1, math.Inf(1), 0.0
			if there {
				verdict, at, worst, budget = compare(e.Comparison, t, all[name], all)
			}
			if verdict == "fail" || verdict == "near-tie" && res.Verdict == "pass" {
				res.Verdict = verdict
			}
			if verdict != "pass" && e.Order < first {
				first = e.Order
				res.FirstDivergence = &divergence{e.Stage, e.Layer, name, fmt.Sprint(at), jsonNumber(worst), budget}
			}
		}
	}
	return res, nil
}

func run(args []string) int {
	if len(args) != 1 && !(len(args) == 3 && args[1] == "--json") {
		fmt.Fprintln(os.Stderr, "usage: check VECTORS [--json RESULT]")
		return 2
	}
	results, count := []result{}, map[string]int{}
	broken := func(path string, err error) { count["broken"]++; fmt.Fprintf(os.Stderr, "%s: %v\n", path, err) }
	filepath.WalkDir(args[0], func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "case.json" {
			return err
		}
		var g golden
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &g)
		}
		if err != nil || strings.Count(g.Id, "/") != 2 {
			broken(path, fmt.Errorf("is no case of dhsa-golden-case/1"))
		} else if res, err := check(filepath.Dir(path), g); err != nil {
			broken(path, err)
		} else {
			results = append(results, res)
			count[res.Verdict]++
			if res.Verdict == "fail" {
				fmt.Println(res.Id, *res.FirstDivergence)
			}
		}
		return nil
	})
	fmt.Printf("go: %d pass, %d near-tie, %d fail, %d not-covered, %d broken\n", count["pass"], count["near-tie"], count["fail"], count["not-covered"], count["broken"])
	if len(args) == 3 && count["broken"] == 0 {
		text, _ := json.Marshal(object{"schema": "dhsa-golden-result/1", "cases": results,
			"implementation": object{"name": "go-reader", "version": "1", "backend": "go", "device": "cpu"}})
		if os.WriteFile(args[2], text, 0o644) != nil {
			return 2
		}
	}
	if count["broken"] > 0 || count["pass"]+count["near-tie"]+count["fail"] == 0 {
		return 2
	}
	return map[bool]int{true: 1, false: 0}[count["fail"] > 0]
}

func main() {
	os.Exit(run(os.Args[1:]))
}
