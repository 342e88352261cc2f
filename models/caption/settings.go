package caption

import (
	"encoding/json"
	"fmt"
	"math"
)

// Settings are a captioner's own parameters, the content of its syntic.json.
type Settings struct {
	Tau       float64 `json:"tau"`           // equation 3's temperature; 0 means the nearest sentence alone
	Threshold float64 `json:"tag_threshold"` // score above which an object is a tag
	MaxTags   int     `json:"max_tags"`      // at most this many tags, best first
	Heads     int     `json:"aux_heads"`     // heads of equation 5's attention
	Query     string  `json:"aux_query"`     // what equation 5 asks with: "projected" or "image"
	Template  string  `json:"tag_template"`  // the text of a tag's feature; %s is its name
	Beams     int     `json:"beam"`
	MaxTokens int     `json:"max_tokens"`
	Memory    string  `json:"memory"` // the support memory's file
}

// ParseSettings reads a syntic.json and checks it.
func ParseSettings(data []byte) (Settings, error) {
	// Source of the defaults: the paper's Implementations (τ = 1/100); the
	// scale model's recipe for the rest, which the paper doesn't state.
	s := Settings{Tau: 0.01, Threshold: 0.7, MaxTags: 8, Heads: 4, Query: "projected", Template: "a photo of a %s.", Beams: 5, MaxTokens: 30}
	if len(data) > 0 {
		if err := json.Unmarshal(data, &s); err != nil {
			return Settings{}, fmt.Errorf("syntic.json: %w", err)
		}
	}
	if err := s.check(); err != nil {
		return Settings{}, fmt.Errorf("syntic.json: %w", err)
	}
	return s, nil
}

func (s *Settings) check() error {
	if !(s.Tau >= 0) || math.IsInf(s.Tau, 0) {
		return fmt.Errorf("temperature %g: must be 0 or a positive number", s.Tau)
	}
	if !(s.Threshold >= 0 && s.Threshold <= 1) {
		return fmt.Errorf("tag threshold %g: must lie between 0 and 1", s.Threshold)
	}
	if s.MaxTags < 1 || s.MaxTags > 1024 || s.Heads < 1 || s.Beams < 1 || s.Beams > 64 || s.MaxTokens < 1 || s.MaxTokens > 1<<20 {
		return fmt.Errorf("max_tags %d, aux_heads %d, beam %d or max_tokens %d is out of range", s.MaxTags, s.Heads, s.Beams, s.MaxTokens)
	}
	if s.Query != "projected" && s.Query != "image" {
		return fmt.Errorf("aux_query %q: must be projected or image", s.Query)
	}
	return nil
}
