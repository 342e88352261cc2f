package caption

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syntic/tensor"
	"syntic/weights"
)

// FuzzParseSettings: refused, or within the bounds that the rest relies on.
func FuzzParseSettings(f *testing.F) {
	for _, s := range []string{
		"", `{}`, `{"tau": 0.01, "tag_threshold": 0.7, "max_tags": 8, "aux_heads": 4, "beam": 5}`, `{"tau": -1}`, `{"tau": 1e308}`,
		`{"max_tokens": 9223372036854775807}`, `{"aux_query": "image", "tag_template": "%s%s%d"}`, `{"memory": "../x"}`, `{"beam": 65}`, `[]`, `{`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSettings(data)
		if err != nil {
			if !strings.Contains(err.Error(), "syntic.json") {
				t.Fatalf("the error doesn't name the file: %v", err)
			}
			return
		}
		if !(s.Tau >= 0) || math.IsInf(s.Tau, 0) || !(s.Threshold >= 0 && s.Threshold <= 1) || s.MaxTags < 1 || s.MaxTags > 1024 ||
			s.Heads < 1 || s.Beams < 1 || s.Beams > 64 || s.MaxTokens < 1 || s.MaxTokens > 1<<20 {
			t.Fatalf("accepted %+v", s)
		}
	})
}

// npy returns a NumPy file with this header and data.
func npy(version byte, header string, data []byte) []byte {
	b := append([]byte("\x93NUMPY"), version, 0)
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	}
	return append(append(b, header...), data...)
}

// FuzzReadFeatures: whatever the file, an error or whole rows that are no
// larger than the file says.
func FuzzReadFeatures(f *testing.F) {
	const head = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n"
	f.Add(npy(1, head, make([]byte, 24)), 0)
	f.Add(npy(2, strings.Replace(head, "f4", "f2", 1), make([]byte, 12)), 0)
	f.Add(npy(1, strings.Replace(head, "(2, 3)", "(4294967296, 4294967296)", 1), nil), 0)
	f.Add(npy(1, strings.Replace(head, "(2, 3)", "(0, 3)", 1), nil), 0)
	f.Add([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), 3)
	f.Add(make([]byte, 24), 3)
	f.Add(make([]byte, 24), 1<<62)
	f.Fuzz(func(t *testing.T, data []byte, dim int) {
		for _, ending := range []string{".npy", ".f32", ".safetensors"} {
			path := filepath.Join(t.TempDir(), "features"+ending)
			if err := os.WriteFile(path, data, 0o666); err != nil {
				t.Fatal(err)
			}
			v, cols, err := ReadFeatures(path, dim)
			if err == nil && (cols < 1 || len(v) == 0 || len(v)%cols != 0 || len(v) > len(data)) {
				t.Fatalf("%s: %d values in rows of %d from %d bytes", ending, len(v), cols, len(data))
			}
		}
	})
}

// FuzzOpenMemory: an error, or a memory of which every text and feature can be
// read.
func FuzzOpenMemory(f *testing.F) {
	for _, dtype := range []tensor.DType{weights.F32, weights.F16} {
		path := filepath.Join(f.TempDir(), "m.safetensors")
		if err := ImportMemory(path, []float32{3, 4, 0, 1}, 2, NewCorpus([]string{"a cat", "zwei Hunde"}), dtype); err != nil {
			f.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)-3])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "m.safetensors")
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		m, err := OpenMemory(path)
		if err != nil {
			return
		}
		defer m.Close()
		if m.Len() < 1 || m.Dim() < 1 || m.Len()*m.Dim() > len(data) {
			t.Fatalf("%d×%d from %d bytes", m.Len(), m.Dim(), len(data))
		}
		row := make([]float32, m.Dim())
		for i := range min(m.Len(), 1000) {
			if m.Text(i); m.Feature(row, i) != nil {
				t.Fatalf("row %d can't be read", i)
			}
		}
		if _, err := m.Search(row, 3); err != nil {
			t.Fatal(err)
		}
	})
}
