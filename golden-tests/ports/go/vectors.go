// Reader of the golden vectors: safetensors, rebuilt inputs, hashes. Go 1.18 or newer, nothing but the standard library.
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
)

// Tensor holds numbers of any stored type as float64; positions fit.
type Tensor struct {
	Shape []int
	V     []float64
}

type set struct {
	Index []int
	Value json.Number
}

type generator struct {
	Kind          string
	Seed          uint64
	Scale, Offset float64
	Low, High     int64
	Set           []set
}

type entry struct {
	Dtype, Sha256, File, Stage string
	Shape                      []int
	Generator                  *generator
	Order, Layer               int
	Required                   bool
	Comparison                 comparison
}

var width = map[string]int{"F64": 8, "F32": 4, "I64": 8, "BF16": 2}

func product(list []int) int {
	p := 1
	for _, x := range list {
		p *= x
	}
	return p
}

func decode(dtype string, raw []byte) []float64 {
	v := make([]float64, len(raw)/width[dtype])
	for i := range v {
		at := raw[i*width[dtype]:]
		switch dtype {
		case "F64":
			v[i] = math.Float64frombits(binary.LittleEndian.Uint64(at))
		case "F32":
			v[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(at)))
		case "I64":
			v[i] = float64(int64(binary.LittleEndian.Uint64(at)))
		case "BF16":
			v[i] = float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(at)) << 16))
		}
	}
	return v
}

func encode(dtype string, x float64) []byte { // BF16 rounds the float to nearest even
	bits := math.Float32bits(float32(x))
	switch dtype {
	case "F64":
		return binary.LittleEndian.AppendUint64(nil, math.Float64bits(x))
	case "I64":
		return binary.LittleEndian.AppendUint64(nil, uint64(int64(x)))
	case "BF16":
		return binary.LittleEndian.AppendUint16(nil, uint16((bits+0x7fff+(bits>>16&1))>>16))
	}
	return binary.LittleEndian.AppendUint32(nil, bits)
}

func generate(e entry) []byte { // SplitMix64
	var raw []byte
	g, state := e.Generator, e.Generator.Seed
	for range make([]struct{}, product(e.Shape)) {
		state += 0x9E3779B97F4A7C15
		z := (state ^ state>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		top := (z ^ z>>31) >> 40
		x := g.Offset + float64(g.Scale*(float64(top)/8388608-1)) // the conversion keeps the compiler from fusing
		if g.Kind == "splitmix64-int" {
			x = float64(g.Low + int64(top%uint64(g.High-g.Low)))
		}
		raw = append(raw, encode(e.Dtype, x)...)
	}
	for _, s := range g.Set { // an index shorter than the shape overwrites everything below it
		at, below := 0, product(e.Shape[len(s.Index):])
		for axis, i := range s.Index {
			at = at*e.Shape[axis] + i
		}
		value, _ := s.Value.Float64()
		one := encode(e.Dtype, value)
		for i := at * below; i < (at+1)*below; i++ {
			copy(raw[i*len(one):], one)
		}
	}
	return raw
}

func readSafetensors(path string) (map[string][]byte, error) {
	file, err := os.ReadFile(path)
	if err != nil || len(file) < 8 || binary.LittleEndian.Uint64(file) > uint64(len(file)-8) {
		return nil, fmt.Errorf("%s is missing or cut short", path)
	}
	data := 8 + binary.LittleEndian.Uint64(file)
	header, tensors := map[string]json.RawMessage{}, map[string][]byte{}
	if err := json.Unmarshal(file[8:data], &header); err != nil {
		return nil, fmt.Errorf("%s: %v", path, err)
	}
	for name, text := range header {
		var e struct{ Data_offsets []uint64 }
		if name != "__metadata__" && json.Unmarshal(text, &e) == nil {
			if len(e.Data_offsets) != 2 || data+e.Data_offsets[1] > uint64(len(file)) {
				return nil, fmt.Errorf("%s: %s lies outside the file", path, name)
			}
			tensors[name] = file[data+e.Data_offsets[0] : data+e.Data_offsets[1]]
		}
	}
	return tensors, nil
}

func load(folder, name string, e entry) (Tensor, error) { // hash checked
	var raw []byte
	if e.Generator != nil { // an input with both is rebuilt: the hash says whether rightly
		raw = generate(e)
	} else if tensors, err := readSafetensors(filepath.Join(folder, e.File)); err != nil {
		return Tensor{}, err
	} else {
		raw = tensors[name]
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != e.Sha256 {
		return Tensor{}, fmt.Errorf("%s: %s does not have the hash that case.json states", folder, name)
	}
	return Tensor{e.Shape, decode(e.Dtype, raw)}, nil
}
