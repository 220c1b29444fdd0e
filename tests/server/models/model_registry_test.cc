#include "server/models/model_registry.h"

#include "tests/server/models/registry_fixture.h"

namespace gwm::server {
namespace {

TEST_F(ModelRegistryTest, ServesTheFirstModelAsTheDefault) {
  const std::vector<Model> models = registry_->List();
  ASSERT_EQ(models.size(), 1u);
  EXPECT_EQ(models[0].checkpoint_digest, "first");
  EXPECT_EQ(models[0].checkpoint, "first");
  EXPECT_EQ(models[0].state, ModelState::kReady);
  EXPECT_TRUE(models[0].is_default);
  EXPECT_EQ(models[0].state_pool_bytes, 6400u);
  EXPECT_EQ(*registry_->Find("", ""), registry_->Default());
}

TEST_F(ModelRegistryTest, ALoadedModelStandsBesideTheDefault) {
  WriteCheckpoint("two", "second");
  const auto loaded = Load("two");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->state, ModelState::kReady);
  EXPECT_EQ(loaded->checkpoint, "two");
  EXPECT_EQ(loaded->checkpoint_bytes, 6u);
  EXPECT_FALSE(loaded->is_default);
  EXPECT_EQ(loads_, 2);
  EXPECT_EQ((*registry_->Find("", ""))->spec().checkpoint_digest, "first");
  EXPECT_EQ((*registry_->Find("", "second"))->spec().checkpoint_digest, "second");
  // An id that several versions share means the default one.
  EXPECT_EQ((*registry_->Find("fake", ""))->spec().checkpoint_digest, "first");
  EXPECT_TRUE(registry_->SetDefault("", "second").ok());
  EXPECT_EQ((*registry_->Find("fake", ""))->spec().checkpoint_digest, "second");
  EXPECT_EQ(registry_->Default()->spec().checkpoint_digest, "second");
}

TEST_F(ModelRegistryTest, WhatIsNotServedIsUnknown) {
  using Name = std::pair<const char*, const char*>;
  for (const auto& [id, digest] : {Name("other", ""), Name("", "other"), Name("other", "first")}) {
    EXPECT_EQ(DetailsOf(registry_->Find(id, digest).status()).reason, "UNKNOWN");
    EXPECT_EQ(DetailsOf(registry_->SetDefault(id, digest).status()).reason, "UNKNOWN");
  }
  EXPECT_EQ(DetailsOf(Unload("other").status()).reason, "UNKNOWN");
}

TEST_F(ModelRegistryTest, AVersionThatIsThereIsNotKeptTwice) {
  WriteCheckpoint("two", "second");
  WriteCheckpoint("copy", "second");
  ASSERT_TRUE(Load("two").ok());
  const auto again = Load("copy", "", /*set_default=*/true);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->checkpoint, "two");
  EXPECT_TRUE(again->is_default);
  EXPECT_EQ(registry_->List().size(), 2u);
  EXPECT_EQ(worlds_, 2);
  // Known by its digest, it is not even opened.
  EXPECT_TRUE(Load("two", "second").ok());
  EXPECT_EQ(loads_, 3);
}

TEST_F(ModelRegistryTest, AFailedLoadLeavesEverythingAsBefore) {
  struct Case {
    const char* content;
    absl::StatusCode code;
    const char* reason;
  };
  for (const Case& c : {Case{"", absl::StatusCode::kNotFound, "BAD_CHECKPOINT"},
                        Case{"!truncated", absl::StatusCode::kDataLoss, "BAD_CHECKPOINT"},
                        Case{"!throw", absl::StatusCode::kInternal, ""},
                        Case{"!memory", absl::StatusCode::kResourceExhausted, ""},
                        Case{"poison", absl::StatusCode::kInternal, ""}}) {
    WriteCheckpoint("bad", c.content);
    const auto loaded = Load("bad");
    EXPECT_EQ(loaded.status().code(), c.code) << c.content;
    EXPECT_EQ(DetailsOf(loaded.status()).reason, c.reason) << c.content;
    EXPECT_EQ(loaded.status().message().find(root_.string()), std::string::npos);
    EXPECT_EQ(worlds_, 1) << c.content;
    const auto models = registry_->List();
    ASSERT_EQ(models.size(), 2u) << c.content;
    EXPECT_EQ(models[1].state, ModelState::kFailed);
    EXPECT_FALSE(models[1].error.empty());
  }
  EXPECT_EQ(failures_, 5);
  EXPECT_EQ(registry_->Default()->spec().checkpoint_digest, "first");
  // A failure is forgotten when its checkpoint is tried again.
  WriteCheckpoint("bad", "good");
  EXPECT_TRUE(Load("bad").ok());
  EXPECT_EQ(registry_->List().size(), 2u);
}

TEST_F(ModelRegistryTest, AnotherDigestThanExpectedIsRefused) {
  WriteCheckpoint("two", "second");
  const auto loaded = Load("two", "third");
  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(DetailsOf(loaded.status()).field, "expected_digest");
  EXPECT_NE(loaded.status().message().find("second"), absl::string_view::npos);
  EXPECT_EQ(worlds_, 1);
}

TEST_F(ModelRegistryTest, MoreModelsThanAllowedAreRefused) {
  for (const char* name : {"two", "three", "four"}) WriteCheckpoint(name, name);
  ASSERT_TRUE(Load("two").ok());
  ASSERT_TRUE(Load("three").ok());
  EXPECT_EQ(DetailsOf(Load("four").status()).reason, "QUOTA");
  ASSERT_TRUE(Unload("two").ok());
  EXPECT_TRUE(Load("four").ok());
}

TEST_F(ModelRegistryTest, TheDefaultCannotBeUnloaded) {
  EXPECT_EQ(DetailsOf(Unload("first").status()).reason, "MODEL_IN_USE");
  EXPECT_EQ(DetailsOf(Unload("first", true).status()).reason, "MODEL_IN_USE");
  EXPECT_EQ(registry_->List()[0].state, ModelState::kReady);
}

TEST_F(ModelRegistryTest, UnloadingGivesTheMemoryBackBeforeItAnswers) {
  WriteCheckpoint("two", "second");
  ASSERT_TRUE(Load("two").ok());
  const auto gone = Unload("second");
  ASSERT_TRUE(gone.ok());
  EXPECT_EQ(gone->state, ModelState::kUnloaded);
  EXPECT_EQ(worlds_, 1);
  EXPECT_EQ(registry_->List().size(), 1u);
}

TEST_F(ModelRegistryTest, PinnedSessionsHoldAModelUnlessItDrains) {
  WriteCheckpoint("two", "second");
  ASSERT_TRUE(Load("two").ok());
  WorldHandle world = *registry_->Find("", "second");
  const std::string id = CreateSession(world);
  EXPECT_EQ(registry_->List()[1].sessions, 1u);
  EXPECT_EQ(registry_->List()[1].state_bytes, 100u);
  EXPECT_EQ(DetailsOf(Unload("second").status()).reason, "MODEL_IN_USE");
  EXPECT_NE(CreateSession(world), "MODEL_DRAINING");
  const auto draining = Unload("second", true);
  ASSERT_TRUE(draining.ok());
  EXPECT_EQ(draining->state, ModelState::kDraining);
  EXPECT_EQ(CreateSession(world), "MODEL_DRAINING");
  EXPECT_EQ(DetailsOf(registry_->SetDefault("", "second").status()).reason, "MODEL_DRAINING");
  world = nullptr;
  EXPECT_TRUE(sessions_->Find(id).ok());
  for (const auto& session : sessions_->List("", "", 10)) {
    EXPECT_TRUE(sessions_->Close(session->id()).ok());
  }
  AwaitDevice();
  EXPECT_EQ(worlds_, 1);
  EXPECT_EQ(registry_->List().size(), 1u);
}

TEST_F(ModelRegistryTest, AfterTheGraceTheSessionsAreEnded) {
  WriteCheckpoint("two", "second");
  ASSERT_TRUE(Load("two").ok());
  const std::string id = CreateSession(*registry_->Find("", "second"));
  const std::string other = CreateSession(registry_->Default());
  const auto draining = Unload("second", true, absl::Seconds(30));
  ASSERT_TRUE(draining.ok());
  EXPECT_EQ(draining->unload_at, clock_.Now() + absl::Seconds(30));
  clock_.Advance(absl::Seconds(29));
  registry_->CollectDrained();
  EXPECT_TRUE(sessions_->Find(id).ok());
  clock_.Advance(absl::Seconds(1));
  registry_->CollectDrained();
  EXPECT_EQ(DetailsOf(sessions_->Find(id).status()).reason, "MODEL_UNLOADED");
  EXPECT_TRUE(sessions_->Find(other).ok());
  AwaitDevice();
  EXPECT_EQ(worlds_, 1);
}

TEST_F(ModelRegistryTest, LoadingADrainingModelKeepsIt) {
  WriteCheckpoint("two", "second");
  ASSERT_TRUE(Load("two").ok());
  const std::string id = CreateSession(*registry_->Find("", "second"));
  ASSERT_TRUE(Unload("second", true, absl::Seconds(1)).ok());
  const auto again = Load("two", "second");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->state, ModelState::kReady);
  EXPECT_EQ(again->sessions, 1u);
  clock_.Advance(absl::Seconds(2));
  registry_->CollectDrained();
  EXPECT_TRUE(sessions_->Find(id).ok());
  EXPECT_NE(CreateSession(*registry_->Find("", "second")), "MODEL_DRAINING");
}

TEST_F(ModelRegistryTest, AHandleInUseKeepsTheWorldUntilItIsDropped) {
  WriteCheckpoint("two", "second");
  ASSERT_TRUE(Load("two").ok());
  WorldHandle world = *registry_->Find("", "second");
  std::promise<absl::StatusOr<Model>> done;
  registry_->Unload({"second"}, [&](absl::StatusOr<Model> model) { done.set_value(model); });
  AwaitDevice();
  EXPECT_EQ(worlds_, 2);
  EXPECT_EQ(DetailsOf(registry_->Find("", "second").status()).reason, "UNKNOWN");
  world = nullptr;
  EXPECT_EQ(done.get_future().get()->state, ModelState::kUnloaded);
  EXPECT_EQ(worlds_, 1);
}

TEST_F(ModelRegistryTest, TwoHundredCyclesWithFailuresLeaveNothingBehind) {
  WriteCheckpoint("good", "good");
  WriteCheckpoint("bad", "!bad");
  WriteCheckpoint("poison", "poison");
  for (int cycle = 0; cycle < 200; ++cycle) {
    ASSERT_TRUE(Load("good").ok());
    if (cycle % 3 == 0) {
      EXPECT_FALSE(Load("bad").ok());
    }
    if (cycle % 5 == 0) {
      EXPECT_FALSE(Load("poison").ok());
    }
    const std::string id = CreateSession(*registry_->Find("", "good"));
    if (cycle % 2 == 0) {
      EXPECT_TRUE(sessions_->Close(id).ok());
      ASSERT_TRUE(Unload("good").ok());
    } else {
      ASSERT_TRUE(Unload("good", true, absl::ZeroDuration()).ok());
      registry_->CollectDrained();
      AwaitDevice();
    }
    ASSERT_EQ(worlds_, 1) << cycle;
    ASSERT_EQ(sessions_->counts().state_bytes, 0u) << cycle;
  }
  EXPECT_EQ(failures_, 67 + 40);
  EXPECT_EQ(registry_->List().size(), 3u);  // the first, and what failed last of each kind
}

TEST_F(ModelRegistryTest, StoppingAnswersWhoWaits) {
  WriteCheckpoint("two", "second");
  ASSERT_TRUE(Load("two").ok());
  WorldHandle world = *registry_->Find("", "second");
  std::promise<absl::StatusOr<Model>> done;
  registry_->Unload({"second"}, [&](absl::StatusOr<Model> model) { done.set_value(model); });
  registry_->Stop();
  EXPECT_EQ(DetailsOf(done.get_future().get().status()).reason, "DRAINING");
  EXPECT_EQ(DetailsOf(Load("two").status()).reason, "DRAINING");
  world = nullptr;
}

TEST_F(ModelRegistryTest, WarmingUpTakesRealSteps) {
  std::promise<absl::StatusOr<WarmUpTimes>> done;
  registry_->WarmUpLater(registry_->Default(), 3, [&](absl::StatusOr<WarmUpTimes> times) {
    done.set_value(std::move(times));
  });
  EXPECT_TRUE(done.get_future().get().ok());
  WriteCheckpoint("poison", "poison");
  EXPECT_FALSE(Load("poison").ok());  // its Render fails
}

}  // namespace
}  // namespace gwm::server
