module llmcensus/tests/clients/go

go 1.25.10

require github.com/OpenRouterTeam/go-sdk v0.5.0

require github.com/spyzhov/ajson v0.8.0 // indirect
