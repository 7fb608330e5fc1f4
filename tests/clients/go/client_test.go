// OpenRouter's official Go client, as it is published, reads a running census.
//
// tests/test_client_go.py starts one and names it: CENSUS_URL ends in /api/v1; CENSUS_KEY is for most tests, and
// CENSUS_SPENT_KEY for the one that uses up what a key has in a minute.
//
// This version of the client has no classifications, session costs or unified benchmarks. Its
// GetBenchmarksArtificialAnalysis and GetBenchmarksDesignArena ask for paths that /benchmarks took the place of, which a
// census does not serve: they are left out.
package client

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	openrouter "github.com/OpenRouterTeam/go-sdk"
	"github.com/OpenRouterTeam/go-sdk/models/components"
	"github.com/OpenRouterTeam/go-sdk/models/operations"
	"github.com/OpenRouterTeam/go-sdk/models/sdkerrors"
	"github.com/OpenRouterTeam/go-sdk/optionalnullable"
)

const perMinute = 30

func setting(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set", name)
	}
	return value
}

func client(t *testing.T, key string) *openrouter.OpenRouter {
	t.Helper()
	return openrouter.New(openrouter.WithServerURL(setting(t, "CENSUS_URL")), openrouter.WithSecurity(key))
}

func pointer[T any](value T) *T { return &value }

func TestItReadsTheRankings(t *testing.T) {
	c := client(t, setting(t, "CENSUS_KEY"))
	answer, err := c.Datasets.GetRankingsDaily(context.Background(), pointer("2026-11-01"), pointer("2026-11-07"))
	if err != nil {
		t.Fatal(err)
	}
	meta := answer.Meta
	if meta.StartDate != "2026-11-01" || meta.EndDate != "2026-11-07" || meta.Version != components.RankingsDailyMetaVersionV1 {
		t.Errorf("meta is %+v", meta)
	}
	days := map[string]bool{}
	for _, row := range answer.Data {
		days[row.Date] = true
		if tokens, err := strconv.ParseInt(row.TotalTokens, 10, 64); err != nil || tokens <= 0 || row.ModelPermaslug == "" {
			t.Errorf("a row is %+v", row)
		}
	}
	if len(days) != 7 {
		t.Errorf("rows of %d days, not of 7", len(days))
	}
}

func TestItReadsTheLastThirtyDaysUnlessAskedForOthers(t *testing.T) {
	c := client(t, setting(t, "CENSUS_KEY"))
	answer, err := c.Datasets.GetRankingsDaily(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Meta.StartDate != "2026-10-22" || answer.Meta.EndDate != "2026-11-20" || len(answer.Data) == 0 {
		t.Errorf("%d rows, meta is %+v", len(answer.Data), answer.Meta)
	}
}

func TestItReadsTheAppsPageByPage(t *testing.T) {
	c := client(t, setting(t, "CENSUS_KEY"))
	page, err := c.Datasets.GetAppRankings(context.Background(), &operations.GetAppRankingsRequest{
		Category: operations.GetAppRankingsCategoryCoding.ToPointer(), Limit: pointer(int64(2)),
	})
	var ranks []int64
	for ; page != nil && err == nil; page, err = page.Next() {
		for _, row := range page.Result.Data {
			ranks = append(ranks, row.Rank)
			if row.AppID <= 0 || row.AppName == "" || row.TotalRequests <= 0 {
				t.Errorf("a row is %+v", row)
			}
		}
	}
	if err != nil || !slices.Equal(ranks, []int64{1, 2, 3, 4}) {
		t.Errorf("ranks are %v, the error is %v", ranks, err)
	}
}

func TestItReadsTheAppsThatGrow(t *testing.T) {
	c := client(t, setting(t, "CENSUS_KEY"))
	page, err := c.Datasets.GetAppRankings(context.Background(), &operations.GetAppRankingsRequest{
		Sort:        operations.GetAppRankingsSortTrending.ToPointer(),
		Category:    operations.GetAppRankingsCategoryCoding.ToPointer(),
		Subcategory: operations.SubcategoryCliAgent.ToPointer(),
		StartDate:   pointer("2026-11-01"),
		EndDate:     pointer("2026-11-20"),
		Limit:       pointer(int64(100)),
		Offset:      optionalnullable.From(pointer(int64(0))),
	})
	if err != nil {
		t.Fatal(err)
	}
	if rows := page.Result.Data; len(rows) != 1 || rows[0].AppName != "Loom Code" {
		t.Errorf("rows are %+v", page.Result.Data)
	}
}

func TestItKnowsABadRequest(t *testing.T) {
	c := client(t, setting(t, "CENSUS_KEY"))
	_, err := c.Datasets.GetRankingsDaily(context.Background(), pointer("2026-02-30"), nil)
	var bad *sdkerrors.BadRequestResponseError
	if !errors.As(err, &bad) {
		t.Fatalf("the error is %T: %v", err, err)
	}
	if bad.Error_.Code != 400 || !strings.Contains(bad.Error_.Message, "2026-02-30") {
		t.Errorf("the error is %v", bad)
	}
	_, err = c.Datasets.GetAppRankings(context.Background(), &operations.GetAppRankingsRequest{Limit: pointer(int64(0))})
	if !errors.As(err, &bad) || !strings.Contains(bad.Error_.Message, "limit") {
		t.Errorf("the error is %T: %v", err, err)
	}
}

func TestItKnowsAStranger(t *testing.T) {
	_, err := client(t, "nobody").Datasets.GetAppRankings(context.Background(), nil)
	var stranger *sdkerrors.UnauthorizedResponseError
	if !errors.As(err, &stranger) || stranger.Error_.Code != 401 || stranger.Error_.Message == "" {
		t.Errorf("the error is %T: %v", err, err)
	}
}

func TestItKnowsTheLimitOfAKey(t *testing.T) {
	c := client(t, setting(t, "CENSUS_SPENT_KEY"))
	day := pointer("2026-11-07")
	for range perMinute {
		if _, err := c.Datasets.GetRankingsDaily(context.Background(), day, day); err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.Datasets.GetRankingsDaily(context.Background(), day, day)
	var limited *sdkerrors.TooManyRequestsResponseError
	if !errors.As(err, &limited) || limited.Error_.Code != 429 || !strings.Contains(limited.Error_.Message, "30 requests") {
		t.Errorf("the error is %T: %v", err, err)
	}
}
