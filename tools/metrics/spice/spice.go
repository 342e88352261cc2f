// Package spice runs the official SPICE program (Java) on tokenised captions
// and reads its answer. It does not parse scene graphs itself.
//
// Source: Anderson et al. 2016; the calls of pycocoevalcap 1.2, spice/spice.py.
//
// Only tools/metrics may import it.
package spice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Program is where the official program lies and how to run it.
type Program struct {
	Jar    string // spice-1.0.jar, with CoreNLP 3.6.0 and its models in lib/ beside it
	Java   string // "" for "java" on the path
	Cache  string // folder for parsed references, "" for none
	Memory string // Java heap, "" for "8G"
}

// Item is one picture's tokenised texts.
type Item struct {
	ID   string   `json:"image_id"`
	Test string   `json:"test"`
	Refs []string `json:"refs"`
}

// opens are the packages the program's old libraries reach into from Java 17 on.
var opens = []string{"--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.math=ALL-UNNAMED",
	"--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
	"--add-opens=java.base/java.net=ALL-UNNAMED", "--add-opens=java.base/java.text=ALL-UNNAMED", "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED"}

// Run scores items and returns each one's F-score in their order; where the
// program gives none (no tuples at all) it is NaN.
// Errors: what is missing and what to do; the program's own last words.
func (p Program) Run(ctx context.Context, items []Item) ([]float64, error) {
	if _, err := os.Stat(p.Jar); err != nil {
		return nil, fmt.Errorf("spice: %w; give the path of spice-1.0.jar from the Python package pycocoevalcap", err)
	}
	java := p.Java
	if java == "" {
		java = "java"
	}
	java, err := exec.LookPath(java)
	if err != nil {
		return nil, fmt.Errorf("spice: no Java (%w); install a Java 8 to 17 runtime or leave SPICE out", err)
	}
	if java, err = filepath.Abs(java); err != nil {
		return nil, err
	}
	jar, err := filepath.Abs(p.Jar)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "spice")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	in, out := filepath.Join(dir, "in.json"), filepath.Join(dir, "out.json")
	raw, err := json.Marshal(items)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(in, raw, 0o600); err != nil {
		return nil, err
	}
	if err := p.exec(ctx, java, jar, in, out); err != nil {
		return nil, err
	}
	raw, err = os.ReadFile(out)
	if err != nil {
		return nil, fmt.Errorf("spice: the program ended well but left no answer: %w", err)
	}
	return scores(raw, items)
}

func (p Program) exec(ctx context.Context, java, jar, in, out string) error {
	memory := p.Memory
	if memory == "" {
		memory = "8G"
	}
	args := append([]string{}, opens...)
	args = append(args, "-XX:+IgnoreUnrecognizedVMOptions", "-Xmx"+memory, "-jar", jar, in, "-out", out, "-subset", "-silent")
	if p.Cache != "" {
		cache, err := filepath.Abs(p.Cache)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(cache, 0o755); err != nil {
			return fmt.Errorf("spice: cache: %w", err)
		}
		args = append(args, "-cache", cache)
	}
	cmd := exec.CommandContext(ctx, java, args...)
	cmd.Dir = filepath.Dir(jar)
	var words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &words, &words
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		hint := ""
		text := words.String()
		switch {
		case strings.Contains(text, "NoClassDefFoundError"), strings.Contains(text, "ClassNotFoundException"):
			hint = "; put stanford-corenlp-3.6.0.jar and stanford-corenlp-3.6.0-models.jar into lib/ beside the jar"
		case strings.Contains(text, "OutOfMemoryError"), strings.Contains(text, "Could not reserve enough space"):
			hint = "; it wants an " + memory + " heap: give more memory or evaluate fewer pictures"
		case strings.Contains(text, "UnsatisfiedLinkError"):
			hint = "; its cache library does not exist for this machine: run without a cache"
		}
		return fmt.Errorf("spice: %s failed: %w%s; its last words: %s", filepath.Base(java), err, hint, last(text))
	}
	return nil
}

// last is the end of the program's output, short enough for a message.
func last(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 400 {
		s = "…" + strings.ToValidUTF8(s[len(s)-400:], "")
	}
	if s == "" {
		return "(none)"
	}
	return s
}

func scores(raw []byte, items []Item) ([]float64, error) {
	var answer []struct {
		ID     string `json:"image_id"`
		Scores map[string]struct {
			F *float64 `json:"f"`
		} `json:"scores"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, fmt.Errorf("spice: the program's answer is not the JSON expected: %w", err)
	}
	byID := make(map[string]float64, len(answer))
	for _, a := range answer {
		f := math.NaN()
		if s, ok := a.Scores["All"]; ok && s.F != nil {
			f = *s.F
		}
		byID[a.ID] = f
	}
	out := make([]float64, len(items))
	for i, it := range items {
		f, ok := byID[it.ID]
		if !ok {
			return nil, errors.New("spice: the program's answer lacks picture " + it.ID)
		}
		out[i] = f
	}
	return out, nil
}
